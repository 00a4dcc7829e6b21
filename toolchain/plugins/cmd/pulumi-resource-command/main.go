// Command pulumi-resource-command stands in for the official plugin of the same name where that cannot be downloaded.
// It serves remote commands and refuses everything else by name.
package main

import (
	"pulumi-etcd/toolchain/plugins/plugin"
	"pulumi-etcd/toolchain/plugins/remote"
)

func main() {
	plugin.Serve(plugin.Package{
		Name:      "command",
		Version:   "1.2.1",
		Modules:   "(.*)",
		Resources: map[string]*plugin.Resource{"command:remote:Command": remote.Command},
	})
}
