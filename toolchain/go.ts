import { execFileSync } from "node:child_process";
import { homedir } from "node:os";
import { isAbsolute } from "node:path";

import { findOnPath } from "./findOnPath";

/** The user's own flags and workspaces must not change what is built, and Go builds nothing without a place for its cache. */
export function goEnvironment(): NodeJS.ProcessEnv {
    const { XDG_CACHE_HOME: cache = "", ...inherited } = process.env;
    return {
        ...inherited,
        ...(isAbsolute(cache) ? { XDG_CACHE_HOME: cache } : {}),
        HOME: homedir(),
        CGO_ENABLED: "0",
        GOFLAGS: "",
        GOWORK: "off",
    };
}

/**
 * The path of a Go that fetches by itself the one that a go.mod names.
 *
 * @param title what has to be built
 * @throws when there is none
 */
export function findGo(title: string): string {
    const remedy = "install Go 1.21 or later (https://go.dev/dl)";
    const go = findOnPath("go");
    if (go === undefined) throw new Error(`${title} has to be built and Go is not on PATH: ${remedy}`);
    const version = ownVersion(go);
    if (!fetchesOthers(version)) throw new Error(`${title} has to be built and ${go} is ${version}: ${remedy}`);
    return go;
}

/** Not that of another, which it would fetch for a go.mod. */
function ownVersion(go: string): string {
    const env = { ...goEnvironment(), GOTOOLCHAIN: "local" };
    const said = execFileSync(go, ["version"], { env, encoding: "utf8" }).trim();
    return /\bgo\d\S*/.exec(said)?.[0] ?? said;
}

function fetchesOthers(version: string): boolean {
    const [, major, minor] = /^go(\d+)\.(\d+)/.exec(version) ?? [];
    return Number(major) > 1 || (major === "1" && Number(minor) >= 21);
}
