// Package certificate makes private keys, certificate requests and certificates.
package certificate

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha1"
	"crypto/x509"
	"encoding/hex"
	"encoding/pem"
	"fmt"

	"golang.org/x/crypto/ssh"

	"pulumi-etcd/toolchain/plugins/plugin"
)

var (
	text  = plugin.Type{Kind: plugin.String}
	texts = plugin.Type{Kind: plugin.List, Of: &text}
	flag  = plugin.Type{Kind: plugin.Boolean}
)

var curves = map[string]elliptic.Curve{
	"P224": elliptic.P224(), "P256": elliptic.P256(), "P384": elliptic.P384(), "P521": elliptic.P521(),
}

// PrivateKey is a key pair that lives in the state alone.
var PrivateKey = &plugin.Resource{
	Inputs: plugin.Properties{
		"algorithm":  {Type: choice("RSA", "ECDSA", "ED25519"), Required: true, Replaces: true},
		"ecdsaCurve": {Type: choice("P224", "P256", "P384", "P521"), Default: "P224", Replaces: true},
		"rsaBits":    {Type: plugin.Type{Kind: plugin.Integer}, Default: 2048.0, Replaces: true},
	},
	Outputs: plugin.Properties{
		"privateKeyPem":              {Type: text, Required: true, Secret: true},
		"privateKeyPemPkcs8":         {Type: text, Required: true, Secret: true},
		"privateKeyOpenssh":          {Type: text, Required: true, Secret: true},
		"publicKeyPem":               {Type: text, Required: true},
		"publicKeyOpenssh":           {Type: text, Required: true},
		"publicKeyFingerprintMd5":    {Type: text, Required: true},
		"publicKeyFingerprintSha256": {Type: text, Required: true},
	},
	Create: func(_ context.Context, call plugin.Call) (string, plugin.Values, error) {
		key, err := generate(call.Inputs)
		if err != nil {
			return "", nil, err
		}
		outputs, err := encode(key)
		return identity(key.Public()), outputs, err
	},
}

func choice(names ...string) plugin.Type { return plugin.Type{Kind: plugin.String, Enum: names} }

func generate(inputs plugin.Values) (crypto.Signer, error) {
	switch inputs.Text("algorithm") {
	case "RSA":
		return rsa.GenerateKey(rand.Reader, inputs.Int("rsaBits"))
	case "ECDSA":
		return ecdsa.GenerateKey(curves[inputs.Text("ecdsaCurve")], rand.Reader)
	}
	_, key, err := ed25519.GenerateKey(rand.Reader)
	return key, err
}

func encode(key crypto.Signer) (plugin.Values, error) {
	pkcs8, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return nil, err
	}
	public, err := x509.MarshalPKIXPublicKey(key.Public())
	if err != nil {
		return nil, err
	}
	traditional := block("PRIVATE KEY", pkcs8)
	switch key := key.(type) {
	case *rsa.PrivateKey:
		traditional = block("RSA PRIVATE KEY", x509.MarshalPKCS1PrivateKey(key))
	case *ecdsa.PrivateKey:
		der, err := x509.MarshalECPrivateKey(key)
		if err != nil {
			return nil, err
		}
		traditional = block("EC PRIVATE KEY", der)
	}
	outputs := plugin.Values{
		"privateKeyPem":      traditional,
		"privateKeyPemPkcs8": block("PRIVATE KEY", pkcs8),
		"publicKeyPem":       block("PUBLIC KEY", public),
		"privateKeyOpenssh":  "", "publicKeyOpenssh": "", "publicKeyFingerprintMd5": "", "publicKeyFingerprintSha256": "",
	}
	// OpenSSH has no format for P224: those outputs stay empty.
	authorized, err := ssh.NewPublicKey(key.Public())
	if err != nil {
		return outputs, nil
	}
	openssh, err := ssh.MarshalPrivateKey(key, "")
	if err != nil {
		return nil, err
	}
	return outputs.With(plugin.Values{
		"privateKeyOpenssh":          string(pem.EncodeToMemory(openssh)),
		"publicKeyOpenssh":           string(ssh.MarshalAuthorizedKey(authorized)),
		"publicKeyFingerprintMd5":    ssh.FingerprintLegacyMD5(authorized),
		"publicKeyFingerprintSha256": ssh.FingerprintSHA256(authorized),
	}), nil
}

func parseKey(property, encoded string) (crypto.Signer, error) {
	key, err := ssh.ParseRawPrivateKey([]byte(encoded))
	if err != nil {
		return nil, fmt.Errorf("%s: failed to decode PEM block: %w", property, err)
	}
	signer, can := key.(crypto.Signer)
	if !can {
		return nil, fmt.Errorf("%s: unsupported private key type %T", property, key)
	}
	return signer, nil
}

func algorithmOf(key crypto.Signer) string {
	switch key.Public().(type) {
	case *rsa.PublicKey:
		return "RSA"
	case *ecdsa.PublicKey:
		return "ECDSA"
	}
	return "ED25519"
}

// identity is the id of what belongs to a public key alone.
func identity(public crypto.PublicKey) string {
	der, err := x509.MarshalPKIXPublicKey(public)
	if err != nil {
		return "key"
	}
	sum := sha1.Sum(der)
	return hex.EncodeToString(sum[:])
}

func block(kind string, der []byte) string {
	return string(pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}))
}
