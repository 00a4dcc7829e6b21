import { existsSync } from "node:fs";
import { resolve } from "node:path";
import { parseArgs } from "node:util";

import { closeLab, environmentStates, openLab } from "../lab";
import { layOutRelease, releaseArchive } from "../release";
import { LAB_IMAGES } from "../spec";
import type { LabHostSpec, LabImage, LabSpec, LabStorage } from "../spec";
import { declaredVersion, readStackFile, stackFile, stackOfFile } from "../stackFile";
import { refuseRest } from "./command";
import type { Command } from "./command";
import { table } from "./table";

const DEFAULT_STACK = "lab";

export const up: Command = {
    usage: "[STACK]",
    summary: `makes the hosts that Pulumi.STACK.yaml declares, starts those that are down, and ends all faults (STACK: ${DEFAULT_STACK})`,
    options: [
        ["--hosts NAME=ADDRESS,…", "these hosts instead of the stack file's"],
        ["--bastion NAME=ADDRESS", "one more host; the others are reached through it only"],
        ["--config-file PATH", "the stack's configuration, where it is elsewhere"],
        ["--image NAME", `what a new host is made from: ${LAB_IMAGES.join(" or ")} (default: ${LAB_IMAGES[0]})`],
        ["--storage KIND", "where hosts write: disk, or memory (faster; fsync costs nothing) (default: disk)"],
    ],
    run: async (args) => {
        const spec = upSpec(args);
        const before = new Map(environmentStates(spec.environment).map(({ host, state }) => [host, state]));
        const began = Date.now();
        const lab = await openLab(spec);
        const did = (state: string | undefined) =>
            state === "up" ? "was up" : state === undefined ? "made" : `was ${state}`;
        console.log(table(lab.hosts.map(({ name, address }) => [name, address, did(before.get(name))])));
        console.log(`\n"${spec.environment}" is up after ${((Date.now() - began) / 1000).toFixed(1)} s.`);
        console.log(`  npm run lab -- ssh ${spec.environment} ${lab.hosts[0]?.name}`);
        console.log(`  keys for the stack's configuration: .lab/${spec.environment}/id_ed25519, known_hosts`);
        await offerRelease(spec.environment);
        return 0;
    },
};

/** The release archive that a committed stack file of that name installs. */
async function offerRelease(stack: string): Promise<void> {
    const version = declaredVersion(stack);
    if (version === undefined) return;
    const release = await releaseArchive(version);
    await layOutRelease(resolve(__dirname, "..", ".."), release);
    console.log(`  etcd for it: .lab/releases/${release.name}`);
}

export const down: Command = {
    usage: "[STACK… | --all]",
    summary: `removes hosts with all that is on them (STACK: ${DEFAULT_STACK})`,
    run: async (args) => {
        const { values, positionals } = parseArgs({
            args: [...args],
            allowPositionals: true,
            options: { all: { type: "boolean", default: false } },
        });
        if (values.all) refuseRest(positionals);
        const known = [...new Set(environmentStates().map(({ environment }) => environment))];
        const wanted = values.all ? known : positionals.length > 0 ? positionals : [DEFAULT_STACK];
        for (const environment of wanted) {
            await closeLab(environment);
            console.log(known.includes(environment) ? `"${environment}" is gone` : `"${environment}" was not there`);
        }
        if (wanted.length === 0) console.log("no hosts are there");
        return 0;
    },
};

export const status: Command = {
    usage: "[STACK]",
    summary: "shows each host: up, down, frozen, cut, partitioned or delayed",
    run: (args) => {
        const [environment, ...rest] = args;
        refuseRest(rest);
        const states = environmentStates(environment);
        if (states.length === 0) {
            console.log(environment === undefined ? "no hosts are there" : `"${environment}" has no hosts`);
            return Promise.resolve(environment === undefined ? 0 : 1);
        }
        const rows = states.map((row) => [row.environment, row.host, row.address, row.state, row.role, row.image]);
        console.log(table([["ENVIRONMENT", "HOST", "ADDRESS", "STATE", "ROLE", "IMAGE"], ...rows]));
        return Promise.resolve(0);
    },
};

function upSpec(args: readonly string[]): LabSpec {
    const { values, positionals } = parseArgs({
        args: [...args],
        allowPositionals: true,
        options: {
            hosts: { type: "string" },
            bastion: { type: "string" },
            "config-file": { type: "string" },
            image: { type: "string" },
            storage: { type: "string" },
        },
    });
    const file = values["config-file"];
    const [stack = (file && stackOfFile(file)) || DEFAULT_STACK, ...rest] = positionals;
    refuseRest(rest);
    const declared = values.hosts === undefined ? declaredHosts(stack, file) : listedHosts(stack, values.hosts);
    return {
        ...declared,
        ...(values.bastion === undefined ? {} : { bastion: parseHost(values.bastion) }),
        ...(values.image === undefined ? {} : { image: values.image as LabImage }),
        ...(values.storage === undefined ? {} : { storage: values.storage as LabStorage }),
    };
}

/** By the stack's file; an environment that was made without one is taken as it is. */
function declaredHosts(stack: string, file: string | undefined): LabSpec {
    const isKnown = environmentStates(stack).length > 0;
    if (file === undefined && isKnown && !existsSync(stackFile(stack))) return { environment: stack, hosts: [] };
    return readStackFile(stack, file);
}

function listedHosts(stack: string, list: string): LabSpec {
    return { environment: stack, hosts: list.split(",").map(parseHost) };
}

function parseHost(text: string): LabHostSpec {
    const [name, address, ...rest] = text.trim().split("=");
    if (!name || !address || rest.length > 0) throw new Error(`"${text}" is no host: write NAME=ADDRESS`);
    return { name, address };
}
