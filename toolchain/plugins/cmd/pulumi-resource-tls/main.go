// Command pulumi-resource-tls stands in for the official plugin of the same name where that cannot be downloaded.
// It serves keys, certificate requests and certificates, and refuses everything else by name.
package main

import (
	"pulumi-etcd/toolchain/plugins/certificate"
	"pulumi-etcd/toolchain/plugins/plugin"
)

func main() {
	plugin.Serve(plugin.Package{
		Name:    "tls",
		Version: "5.6.1",
		Modules: "(.*)(?:/[^/]*)",
		Resources: map[string]*plugin.Resource{
			"tls:index/privateKey:PrivateKey":               certificate.PrivateKey,
			"tls:index/certRequest:CertRequest":             certificate.Request,
			"tls:index/selfSignedCert:SelfSignedCert":       certificate.SelfSigned,
			"tls:index/locallySignedCert:LocallySignedCert": certificate.LocallySigned,
		},
	})
}
