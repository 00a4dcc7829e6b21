import { download, DownloadError, type Archive } from "./download";

/** Where a part of the toolchain can come from, best first. */
export const origins = ["installed", "download", "build"] as const;
export type Origin = (typeof origins)[number];

/** A part of the toolchain, and the ways to get it. */
export interface Part {
    /** As shown: `pulumi`, `plugin command`. */
    readonly name: string;
    readonly installed: () => string | undefined;
    /** What the vendor offers, if anything. */
    readonly archive?: Archive;
    readonly build: () => Promise<string>;
    /** What a user does who wants the vendor's. */
    readonly remedy: string;
}

export interface Choice {
    readonly name: string;
    readonly origin: Origin;
    /** The executable. */
    readonly path: string;
    /** Why it is not from a better origin. */
    readonly because: string;
}

/** The one origin that `PULUMI_ETCD_TOOLCHAIN` asks for; without it, any. */
export function allowedOrigins(asked = process.env.PULUMI_ETCD_TOOLCHAIN): readonly Origin[] {
    if (!asked) return origins;
    const origin = origins.find((known) => known === asked);
    if (!origin) throw new Error(`PULUMI_ETCD_TOOLCHAIN is "${asked}": use ${origins.join(", ")}, or unset it`);
    return [origin];
}

/** Gets the part from the best origin that has it. */
export async function choose(part: Part, allowed: readonly Origin[]): Promise<Choice> {
    const failures: string[] = [];
    for (const origin of allowed) {
        const found = await attempt(part, origin, allowed.length === 1);
        if (found.path !== undefined)
            return { name: part.name, origin, path: found.path, because: failures.join(", ") };
        failures.push(found.failure);
    }
    const isForced = allowed.length === 1;
    const where = isForced ? ` with PULUMI_ETCD_TOOLCHAIN=${allowed.join()}` : "";
    const remedy = isForced ? `${part.remedy}, or unset PULUMI_ETCD_TOOLCHAIN` : part.remedy;
    throw new Error(`${part.name} can't be had${where}: ${remedy} (tried: ${failures.join(", ")})`);
}

type Attempt = { readonly path: string } | { readonly path?: undefined; readonly failure: string };

async function attempt(part: Part, origin: Origin, forced: boolean): Promise<Attempt> {
    switch (origin) {
        case "installed": {
            const path = part.installed();
            return path === undefined ? { failure: "not installed" } : { path };
        }
        case "download":
            return attemptDownload(part, forced);
        case "build":
            return attemptBuild(part);
    }
}

async function attemptBuild(part: Part): Promise<Attempt> {
    try {
        return { path: await part.build() };
    } catch (error) {
        return { failure: error instanceof Error ? error.message : String(error) };
    }
}

// Who forces the download wants it tried now.
async function attemptDownload({ archive }: Part, forced: boolean): Promise<Attempt> {
    if (!archive) return { failure: "not offered for download" };
    try {
        return { path: await download(archive, forced) };
    } catch (error) {
        if (!(error instanceof DownloadError)) throw error;
        return { failure: `no download (${error.message})` };
    }
}
