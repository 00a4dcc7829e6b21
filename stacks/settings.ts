/** What a stack's `Pulumi.<stack>.yaml` says → the arguments of a cluster. */
import { readFileSync } from "node:fs";
import { basename, dirname, join } from "node:path";

import * as pulumi from "@pulumi/pulumi";

import type { EtcdClusterArgs, EtcdHostArgs, InstallSource, SshArgs } from "../components";

interface SshSettings extends Omit<SshArgs, "privateKey" | "knownHosts"> {
    /** A file; or set the secret `sshPrivateKey`. */
    readonly privateKeyFile?: string;
    readonly knownHostsFile?: string;
}

type InstallSettings = InstallSource | { readonly source: "file"; readonly path: string; readonly sha256?: undefined };

/** The arguments that every environment takes from its stack's configuration. */
export function settings(): Pick<EtcdClusterArgs, "version" | "install" | "hosts" | "ssh"> {
    const config = new pulumi.Config();
    return {
        version: config.require("version"),
        install: install(config.requireObject<InstallSettings>("install")),
        hosts: config.requireObject<EtcdHostArgs[]>("hosts"),
        ssh: ssh(config.requireObject<SshSettings>("ssh"), config.getSecret("sshPrivateKey")),
    };
}

function ssh(
    { privateKeyFile, knownHostsFile, ...rest }: SshSettings,
    secret: pulumi.Output<string> | undefined,
): SshArgs {
    const privateKey =
        secret ??
        (privateKeyFile !== undefined ? pulumi.secret(read(privateKeyFile, "ssh.privateKeyFile")) : undefined);
    return {
        ...rest,
        ...(privateKey !== undefined && { privateKey }),
        ...(knownHostsFile !== undefined && { knownHosts: read(knownHostsFile, "ssh.knownHostsFile") }),
    };
}

/** A release archive without a digest has it in the `SHA256SUMS` beside it. `{arch}` in its path is this machine's. */
export function install(wanted: InstallSettings): InstallSource {
    if (wanted.source !== "file") return wanted;
    // The package tells what is missing.
    if (typeof (wanted.path as unknown) !== "string") return wanted as InstallSource;
    const path = wanted.path.replace("{arch}", process.arch === "arm64" ? "arm64" : "amd64");
    if (wanted.sha256 !== undefined) return { ...wanted, path };
    const sums = join(dirname(path), "SHA256SUMS");
    const name = basename(path);
    const line = read(sums, "install.path")
        .split("\n")
        .find((one) => one.split(/\s+\*?/)[1] === name);
    if (line === undefined) throw new pulumi.RunError(`${sums} has no line for ${name}; add it, or set install.sha256`);
    return { source: "file", path, sha256: line.split(/\s+/)[0] ?? "" };
}

function read(path: string, property: string): string {
    try {
        return readFileSync(path, "utf8");
    } catch {
        throw new pulumi.RunError(
            `${path} (config pulumi-etcd:${property}) can't be read; for lab hosts run: npm run lab -- up ${pulumi.getStack()}`,
        );
    }
}
