package certificate

import (
	"context"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"fmt"
	"maps"
	"net"
	"net/url"

	"pulumi-etcd/toolchain/plugins/plugin"
)

// Request is a certificate signing request.
var Request = &plugin.Resource{
	Inputs: owner("CertRequestSubject"),
	Outputs: plugin.Properties{
		"certRequestPem": {Type: text, Required: true},
		"keyAlgorithm":   {Type: text, Required: true},
	},
	Create: func(_ context.Context, call plugin.Call) (string, plugin.Values, error) {
		key, err := parseKey("privateKeyPem", call.Inputs.Text("privateKeyPem"))
		if err != nil {
			return "", nil, err
		}
		names, err := names(call.Inputs)
		if err != nil {
			return "", nil, err
		}
		der, err := x509.CreateCertificateRequest(rand.Reader, &x509.CertificateRequest{
			Subject:     names.Subject,
			DNSNames:    names.DNSNames,
			IPAddresses: names.IPAddresses,
			URIs:        names.URIs,
		}, key)
		if err != nil {
			return "", nil, fmt.Errorf("failed to create certificate request: %w", err)
		}
		return identity(key.Public()), plugin.Values{
			"certRequestPem": block("CERTIFICATE REQUEST", der),
			"keyAlgorithm":   algorithmOf(key),
		}, nil
	},
}

// owner is the inputs that say whose key and names go into a request or a self-signed certificate.
func owner(subject string) plugin.Properties {
	attributes := plugin.Properties{"streetAddresses": {Type: texts}}
	for _, name := range []string{"commonName", "country", "emailAddress", "locality", "organization",
		"organizationalUnit", "postalCode", "province", "serialNumber"} {
		attributes[name] = plugin.Property{Type: text}
	}
	object := plugin.Object{Token: "tls:index/" + subject + ":" + subject, Properties: attributes}
	return plugin.Properties{
		"privateKeyPem":          {Type: text, Required: true, Secret: true, Replaces: true},
		"privateKeyPemWo":        {Unsupported: true},
		"privateKeyPemWoVersion": {Unsupported: true},
		"subject":                {Type: plugin.Type{Kind: plugin.Nested, Object: &object}, Replaces: true},
		"dnsNames":               {Type: texts, Replaces: true},
		"ipAddresses":            {Type: texts, Replaces: true},
		"uris":                   {Type: texts, Replaces: true},
	}
}

// names is a certificate with nothing but a subject and alternative names.
func names(inputs plugin.Values) (*x509.Certificate, error) {
	named := &x509.Certificate{Subject: distinguished(inputs.Object("subject")), DNSNames: inputs.Texts("dnsNames")}
	for _, given := range inputs.Texts("ipAddresses") {
		address := net.ParseIP(given)
		if address == nil {
			return nil, fmt.Errorf("ipAddresses: failed to parse IP address %q", given)
		}
		named.IPAddresses = append(named.IPAddresses, address)
	}
	for _, given := range inputs.Texts("uris") {
		uri, err := url.Parse(given)
		if err != nil {
			return nil, fmt.Errorf("uris: failed to parse URI %q: %w", given, err)
		}
		named.URIs = append(named.URIs, uri)
	}
	return named, nil
}

func distinguished(subject plugin.Values) pkix.Name {
	one := func(name string) []string {
		if value := subject.Text(name); value != "" {
			return []string{value}
		}
		return nil
	}
	name := pkix.Name{
		CommonName:         subject.Text("commonName"),
		SerialNumber:       subject.Text("serialNumber"),
		Organization:       one("organization"),
		OrganizationalUnit: one("organizationalUnit"),
		StreetAddress:      subject.Texts("streetAddresses"),
		Locality:           one("locality"),
		Province:           one("province"),
		Country:            one("country"),
		PostalCode:         one("postalCode"),
	}
	if email := subject.Text("emailAddress"); email != "" {
		name.ExtraNames = append(name.ExtraNames, pkix.AttributeTypeAndValue{
			Type:  asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 9, 1},
			Value: asn1.RawValue{Tag: asn1.TagIA5String, Bytes: []byte(email)},
		})
	}
	return name
}

func merged(sets ...plugin.Properties) plugin.Properties {
	all := plugin.Properties{}
	for _, set := range sets {
		maps.Copy(all, set)
	}
	return all
}
