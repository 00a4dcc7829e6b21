package remote

import (
	"fmt"
	"net"
	"os"

	"golang.org/x/crypto/ssh"
	"golang.org/x/crypto/ssh/agent"

	"pulumi-etcd/toolchain/plugins/plugin"
)

// clientConfig says who logs in and how, and which host to expect. Call release when no more connections are dialed.
func clientConfig(to plugin.Values) (config *ssh.ClientConfig, release func(), err error) {
	config = &ssh.ClientConfig{User: to.Text("user"), HostKeyCallback: ssh.InsecureIgnoreHostKey()}
	if config.User == "" {
		config.User = "root"
	}
	if key := to.Text("hostKey"); key != "" {
		expected, _, _, _, err := ssh.ParseAuthorizedKey([]byte(key))
		if err != nil {
			return nil, nil, fmt.Errorf("failed to parse host key: %w", err)
		}
		config.HostKeyCallback = ssh.FixedHostKey(expected)
		config.HostKeyAlgorithms = algorithms(expected.Type())
	}
	if key := to.Text("privateKey"); key != "" {
		signer, err := parseKey(key, to.Text("privateKeyPassword"))
		if err != nil {
			return nil, nil, fmt.Errorf("failed to parse private key: %w", err)
		}
		config.Auth = append(config.Auth, ssh.PublicKeys(signer))
	}
	if password := to.Text("password"); password != "" {
		config.Auth = append(config.Auth, ssh.Password(password), ssh.KeyboardInteractive(answer(password)))
	}
	socket := to.Text("agentSocketPath")
	if socket == "" {
		socket = os.Getenv("SSH_AUTH_SOCK")
	}
	keys := agentKeys{socket: socket}
	if socket != "" {
		config.Auth = append(config.Auth, ssh.PublicKeysCallback(keys.signers))
	}
	return config, keys.close, nil
}

func parseKey(key, password string) (ssh.Signer, error) {
	if password == "" {
		return ssh.ParsePrivateKey([]byte(key))
	}
	return ssh.ParsePrivateKeyWithPassphrase([]byte(key), []byte(password))
}

func answer(password string) ssh.KeyboardInteractiveChallenge {
	return func(_, _ string, questions []string, _ []bool) ([]string, error) {
		answers := make([]string, len(questions))
		for index := range answers {
			answers[index] = password
		}
		return answers, nil
	}
}

// algorithms makes the server present the key that is expected, of the several it may have.
func algorithms(keyType string) []string {
	if keyType == ssh.KeyAlgoRSA {
		return []string{ssh.KeyAlgoRSASHA512, ssh.KeyAlgoRSASHA256}
	}
	return []string{keyType}
}

// agentKeys asks an SSH agent, over one connection that is opened when it is first needed.
type agentKeys struct {
	socket     string
	connection net.Conn
}

func (a *agentKeys) signers() ([]ssh.Signer, error) {
	if a.connection == nil {
		connection, err := net.Dial("unix", a.socket)
		if err != nil {
			return nil, err
		}
		a.connection = connection
	}
	return agent.NewClient(a.connection).Signers()
}

func (a *agentKeys) close() {
	if a.connection != nil {
		_ = a.connection.Close()
	}
}
