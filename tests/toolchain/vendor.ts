import { execFileSync } from "node:child_process";
import { chmodSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { basename, dirname, join } from "node:path";

/** A server on loopback in the vendor's place: serves archives that hold one program each. */
export interface Vendor {
    readonly url: string;
    /** The paths it was asked for. */
    readonly asked: string[];
    readonly close: () => void;
}

/** What the vendor offers: the path on its server, and a small executable's place in the archive, or what is sent. */
export type Offers = Readonly<Record<string, string | Buffer>>;

/** @param answers whether it ever answers, after it took a connection */
export async function startVendor(directory: string, offers: Offers, answers = true): Promise<Vendor> {
    const archives = new Map(
        Object.entries(offers).map(([path, offer]) => [
            path,
            typeof offer === "string" ? pack(directory, offer, greeting(offer)) : offer,
        ]),
    );
    const asked: string[] = [];
    const server = createServer((request, response) => {
        asked.push(request.url ?? "");
        if (!answers) return;
        const archive = archives.get(request.url ?? "");
        if (archive) response.end(archive);
        else response.writeHead(404).end();
    });
    await listen(server);
    const { port } = server.address() as AddressInfo;
    const close = (): void => {
        server.close();
        server.closeAllConnections();
    };
    return { url: `http://127.0.0.1:${port}`, asked, close };
}

function greeting(place: string): string {
    return `#!/bin/sh\necho "${basename(place)} from the vendor"\n`;
}

/** An archive with that executable. */
export function pack(directory: string, place: string, executable: string): Buffer {
    const content = join(directory, `archive-of-${basename(place)}`);
    const program = join(content, place);
    mkdirSync(dirname(program), { recursive: true });
    writeFileSync(program, executable);
    chmodSync(program, 0o755);
    const archive = `${content}.tar.gz`;
    execFileSync("tar", ["-czf", archive, "-C", content, place.split("/")[0] ?? place]);
    return readFileSync(archive);
}

function listen(server: Server): Promise<void> {
    return new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
}
