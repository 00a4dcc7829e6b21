import { createHash } from "node:crypto";
import { chmod } from "node:fs/promises";
import { readFileSync } from "node:fs";
import { join } from "node:path";

import { artefact } from "../toolchain/cache";
import { succeed } from "./command";
import { requirePrograms } from "./prerequisites";
import type { LabImage } from "./spec";

/** May log in by this password; its sudo asks for it, too. */
export const OPERATOR_PASSWORD = "lab-operator";

const PACKAGES = [
    "systemd",
    "systemd-sysv",
    "dbus",
    "openssh-server",
    "nftables",
    "iproute2",
    "ca-certificates",
    "rsync",
    "sudo",
    "curl",
    "procps",
    "openssl",
    "libfaketime",
] as const;

/** The directory of an image, an ordinary root file system; made on first use, which takes a minute or less. */
export function imageDirectory(image: LabImage): Promise<string> {
    return artefact(`lab-image-${image}`, recipeDigest(), (directory, progress) => build(image, directory, progress));
}

function customizeScript(): string {
    return join(__dirname, "image", "customize.sh");
}

function recipeDigest(): string {
    const recipe = JSON.stringify([PACKAGES, OPERATOR_PASSWORD, readFileSync(customizeScript(), "utf8")]);
    return createHash("sha256").update(recipe).digest("hex").slice(0, 12);
}

async function build(image: LabImage, directory: string, progress: (text: string) => void): Promise<void> {
    await requirePrograms(["mmdebstrap"]);
    progress(`installing Debian "${image}"`);
    await chmod(directory, 0o755);
    // Its own namespaces and a parent-death signal: a build that is killed, however hard, leaves no mount and no process.
    const contain = ["--pdeathsig", "KILL", "unshare", "--mount", "--pid", "--fork", "--kill-child", "--mount-proc"];
    await succeed(
        "setpriv",
        [
            ...contain,
            "mmdebstrap",
            "--mode=root",
            "--format=directory",
            "--variant=minbase",
            `--include=${PACKAGES.join(",")}`,
            `--customize-hook=sh ${shellQuote(customizeScript())} "$1"`,
            image,
            directory,
        ],
        {
            timeoutSeconds: 1800,
            environment: { ...process.env, OPERATOR_PASSWORD },
            onOutput: (text) => {
                const step = text.match(/^I: (.+)$/m)?.[1];
                if (step) progress(step);
            },
        },
    ).catch((error: Error) => {
        throw new Error(
            `Debian "${image}" could not be installed for the lab (its packages come from Debian's mirror, which has to be reachable once): ${error.message}`,
        );
    });
}

function shellQuote(text: string): string {
    return `'${text.replaceAll("'", `'\\''`)}'`;
}
