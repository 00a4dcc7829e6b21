package certificate

import (
	"context"
	"crypto"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/sha1"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"encoding/pem"
	"errors"
	"fmt"
	"math/big"
	"time"

	pulumirpc "github.com/pulumi/pulumi/sdk/v3/proto/go"

	"pulumi-etcd/toolchain/plugins/plugin"
)

// SelfSigned is a certificate signed with its own key.
var SelfSigned = renewed(&plugin.Resource{
	Inputs: merged(owner("SelfSignedCertSubject"), terms, plugin.Properties{
		"setAuthorityKeyId": {Type: flag, Default: false, Replaces: true},
	}),
	Outputs: merged(issued, plugin.Properties{"keyAlgorithm": {Type: text, Required: true}}),
	Create: func(_ context.Context, call plugin.Call) (string, plugin.Values, error) {
		key, err := parseKey("privateKeyPem", call.Inputs.Text("privateKeyPem"))
		if err != nil {
			return "", nil, err
		}
		template, err := names(call.Inputs)
		if err != nil {
			return "", nil, err
		}
		if call.Inputs.Flag("isCaCertificate") && len(template.Subject.ToRDNSequence()) == 0 {
			return "", nil, errors.New("Invalid Certificate Subject: " +
				"Must contain at least one Distinguished Name when creating Certificate Authority (CA)")
		}
		id, outputs, err := issue(call.Inputs, template, template, key.Public(), key)
		return id, outputs.With(plugin.Values{"keyAlgorithm": algorithmOf(key)}), err
	},
})

// LocallySigned is a certificate for a request, signed with the key of an authority.
var LocallySigned = renewed(&plugin.Resource{
	Inputs: merged(terms, plugin.Properties{
		"certRequestPem":           {Type: text, Required: true, Replaces: true},
		"caCertPem":                {Type: text, Required: true, Replaces: true},
		"caPrivateKeyPem":          {Type: text, Required: true, Secret: true, Replaces: true},
		"caPrivateKeyPemWo":        {Unsupported: true},
		"caPrivateKeyPemWoVersion": {Unsupported: true},
	}),
	Outputs: merged(issued, plugin.Properties{"caKeyAlgorithm": {Type: text, Required: true}}),
	Create: func(_ context.Context, call plugin.Call) (string, plugin.Values, error) {
		request, err := parse("certRequestPem", "CERTIFICATE REQUEST", call.Inputs, x509.ParseCertificateRequest)
		if err != nil {
			return "", nil, err
		}
		if err := request.CheckSignature(); err != nil {
			return "", nil, fmt.Errorf("certRequestPem: %w", err)
		}
		authority, err := parse("caCertPem", "CERTIFICATE", call.Inputs, x509.ParseCertificate)
		if err != nil {
			return "", nil, err
		}
		if !authority.IsCA {
			call.Log(pulumirpc.LogSeverity_WARNING, "Potentially Invalid Certificate Authority: "+
				"Certificate provided as Authority does not appear to be a valid Certificate Authority", plugin.Lasting)
		}
		key, err := parseKey("caPrivateKeyPem", call.Inputs.Text("caPrivateKeyPem"))
		if err != nil {
			return "", nil, err
		}
		id, outputs, err := issue(call.Inputs, &x509.Certificate{
			Subject:        request.Subject,
			DNSNames:       request.DNSNames,
			IPAddresses:    request.IPAddresses,
			URIs:           request.URIs,
			AuthorityKeyId: authority.SubjectKeyId,
		}, authority, request.PublicKey, key)
		return id, outputs.With(plugin.Values{"caKeyAlgorithm": algorithmOf(key)}), err
	},
})

var use = plugin.Type{Kind: plugin.String, Enum: useNames()}

func atLeast(least float64) plugin.Type { return plugin.Type{Kind: plugin.Integer, Least: &least} }

// terms are the inputs that every certificate takes.
var terms = plugin.Properties{
	"allowedUses":         {Type: plugin.Type{Kind: plugin.List, Of: &use}, Required: true, Replaces: true},
	"validityPeriodHours": {Type: atLeast(0), Required: true, Replaces: true},
	"earlyRenewalHours":   {Type: atLeast(0), Default: 0.0},
	"isCaCertificate":     {Type: flag, Default: false, Replaces: true},
	"maxPathLength":       {Type: atLeast(-1), Default: -1.0, Replaces: true},
	"setSubjectKeyId":     {Type: flag, Default: false, Replaces: true},
}

var issued = plugin.Properties{
	"certPem":           {Type: text, Required: true},
	"validityStartTime": {Type: text, Required: true},
	"validityEndTime":   {Type: text, Required: true},
	"readyForRenewal":   {Type: flag, Required: true},
}

func issue(
	inputs plugin.Values, template, parent *x509.Certificate, public crypto.PublicKey, signer crypto.Signer,
) (string, plugin.Values, error) {
	serial, err := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 128))
	if err != nil {
		return "", nil, err
	}
	start := time.Now()
	end := start.Add(time.Duration(inputs.Int("validityPeriodHours")) * time.Hour)
	template.SerialNumber, template.NotBefore, template.NotAfter = serial, start, end
	template.BasicConstraintsValid = true
	template.KeyUsage, template.ExtKeyUsage = usages(inputs.Texts("allowedUses"))
	if inputs.Flag("isCaCertificate") {
		template.IsCA = true
		template.MaxPathLen = inputs.Int("maxPathLength")
		template.MaxPathLenZero = template.MaxPathLen == 0
	}
	if inputs.Flag("isCaCertificate") || inputs.Flag("setSubjectKeyId") {
		if template.SubjectKeyId, err = keyID(public); err != nil {
			return "", nil, err
		}
	}
	if inputs.Flag("setAuthorityKeyId") {
		if len(parent.SubjectKeyId) == 0 {
			return "", nil, errors.New("Invalid Certificate Authority: Could not determine Authority Key Identifier: " +
				"the authority has no subject key identifier")
		}
		template.AuthorityKeyId = parent.SubjectKeyId
	}
	der, err := x509.CreateCertificate(rand.Reader, template, parent, public, signer)
	if err != nil {
		return "", nil, fmt.Errorf("failed to create certificate: %w", err)
	}
	outputs := plugin.Values{
		"certPem":           block("CERTIFICATE", der),
		"validityStartTime": start.Format(time.RFC3339Nano),
		"validityEndTime":   end.Format(time.RFC3339Nano),
	}
	outputs["readyForRenewal"] = isReady(inputs.With(outputs))
	return serial.String(), outputs, nil
}

// renewed adds what time does to a certificate: near its end it is replaced by a new one.
func renewed(resource *plugin.Resource) *plugin.Resource {
	resource.UpdateKeeps = []string{"certPem", "validityStartTime", "validityEndTime", "keyAlgorithm", "caKeyAlgorithm"}
	resource.Refresh = func(state plugin.Values) plugin.Values {
		return plugin.Values{"readyForRenewal": isReady(state)}
	}
	resource.Expired = func(inputs, state plugin.Values) []string {
		if isReady(plugin.Values{
			"validityEndTime": state["validityEndTime"], "earlyRenewalHours": inputs["earlyRenewalHours"],
		}) {
			return []string{"readyForRenewal"}
		}
		return nil
	}
	// Only earlyRenewalHours changes without replacement, and it is not part of the certificate.
	resource.Update = func(_ context.Context, call plugin.Call) (plugin.Values, error) {
		outputs := plugin.Values{}
		for name := range resource.Outputs {
			outputs[name] = call.State[name]
		}
		outputs["readyForRenewal"] = isReady(call.Inputs.With(outputs))
		return outputs, nil
	}
	return resource
}

func isReady(certificate plugin.Values) bool {
	end, err := time.Parse(time.RFC3339Nano, certificate.Text("validityEndTime"))
	if err != nil {
		return false
	}
	return !time.Now().Before(end.Add(-time.Duration(certificate.Int("earlyRenewalHours")) * time.Hour))
}

func parse[T any](property, kind string, inputs plugin.Values, decode func([]byte) (T, error)) (decoded T, err error) {
	found, _ := pem.Decode([]byte(inputs.Text(property)))
	if found == nil || found.Type != kind {
		return decoded, fmt.Errorf("%s: failed to decode PEM block: expected %q", property, kind)
	}
	if decoded, err = decode(found.Bytes); err != nil {
		err = fmt.Errorf("%s: %w", property, err)
	}
	return decoded, err
}

// keyID is the first method of RFC 5280, 4.2.1.2: the SHA-1 of the public key's bits; of an ED25519 key, as the official plugin has it,
// that of its octet string.
func keyID(public crypto.PublicKey) ([]byte, error) {
	if key, isEd25519 := public.(ed25519.PublicKey); isEd25519 {
		der, err := asn1.Marshal([]byte(key))
		sum := sha1.Sum(der)
		return sum[:], err
	}
	der, err := x509.MarshalPKIXPublicKey(public)
	if err != nil {
		return nil, err
	}
	var info struct {
		Algorithm pkix.AlgorithmIdentifier
		Key       asn1.BitString
	}
	if _, err := asn1.Unmarshal(der, &info); err != nil {
		return nil, err
	}
	sum := sha1.Sum(info.Key.Bytes)
	return sum[:], nil
}
