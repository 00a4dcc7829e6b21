/** Where the vendor publishes. `PULUMI_ETCD_DOWNLOAD_URL` stands in for a mirror of get.pulumi.com. */
function releases(): string {
    return (process.env.PULUMI_ETCD_DOWNLOAD_URL ?? "https://get.pulumi.com").replace(/\/$/, "");
}

function isMirrored(): boolean {
    return process.env.PULUMI_ETCD_DOWNLOAD_URL !== undefined;
}

function goArchitecture(): string {
    return process.arch === "x64" ? "amd64" : process.arch;
}

export const vendorUrls = {
    engine: (version: string): readonly string[] => {
        const file = `pulumi-v${version}-linux-${process.arch}.tar.gz`;
        return withGitHub(`releases/sdk/${file}`, `pulumi/releases/download/v${version}/${file}`);
    },
    plugin: (name: string, version: string): readonly string[] => {
        const file = `pulumi-resource-${name}-v${version}-linux-${goArchitecture()}.tar.gz`;
        return withGitHub(`releases/plugins/${file}`, `pulumi-${name}/releases/download/v${version}/${file}`);
    },
};

function withGitHub(path: string, gitHubPath: string): readonly string[] {
    const first = `${releases()}/${path}`;
    return isMirrored() ? [first] : [first, `https://github.com/pulumi/${gitHubPath}`];
}
