// Usage: npm run build                   compiles the package as it is published, and says where it is
//        npm run toolchain               gets the engine and the plugins, and says where each is from
//        npm run toolchain -- etcd 3.6   builds the binaries of an etcd version, and prints their checksums

import { buildPackage, etcdBinaries, findToolchain } from ".";
import { etcdVersions } from "./etcd";

async function main(args: readonly string[]): Promise<void> {
    const [command, version, ...rest] = args;
    if (command === undefined) {
        console.log((await findToolchain()).describe());
        return;
    }
    if (command === "package" && version === undefined) {
        console.log(await buildPackage());
        return;
    }
    if (command !== "etcd" || version === undefined || rest.length > 0) {
        throw new Error(`usage: npm run toolchain [-- etcd VERSION], VERSION one of ${etcdVersions.join(", ")}`);
    }
    const { etcd, etcdctl, etcdutl } = await etcdBinaries(version);
    for (const { path, sha256 } of [etcd, etcdctl, etcdutl]) console.log(`${sha256}  ${path}`);
}

main(process.argv.slice(2)).catch((error: Error) => {
    console.error(`error: ${error.message}`);
    process.exitCode = 1;
});
