import assert from "node:assert/strict";

import type { EtcdClusterArgs } from "../../components";
import { releaseArchive } from "../../lab/release";
import { hasPrinted } from "../integration/moments";
import { FaultBed, lookAfter } from "./faultBed";

const all = ["a", "b", "c"];

/** From Debian's package to a release archive: the version and where it comes from change at once. */
const packaged: Partial<EtcdClusterArgs> = { version: "3.4.23", install: { source: "debian" } };

const upgrades = [
    { kind: "minor version", cluster: "upgrade", network: "10.107.6", from: "3.5", to: "3.6" },
    { kind: "patch", cluster: "patch", network: "10.107.8", from: "3.6.8", to: "3.6" },
    { kind: "series (3.6 → 3.7)", cluster: "upgrade-7", network: "10.107.9", from: "3.6", to: "3.7" },
    { kind: "series (3.4 → 3.5)", cluster: "upgrade-5", network: "10.107.13", from: packaged, to: "3.5" },
];

for (const { kind, cluster, network, from, to } of upgrades) {
    describe(`fault: an upgrade by a ${kind} dies half-way`, () => {
        let site: FaultBed;
        let newer: Partial<EtcdClusterArgs> & { readonly version: string };

        before(async () => {
            const [always, series] = typeof from === "string" ? [{}, from] : [from, to];
            site = await FaultBed.open(cluster, network, 3, always, series);
            const { version, path, sha256 } = await releaseArchive(to);
            newer = { version, install: { source: "file", path, sha256 } };
            await site.mustUp(all);
        });

        lookAfter(
            () => site,
            () => site.mustUp(all),
        );

        async function dieAfterTheFirst(): Promise<void> {
            const running = site.project.startUp(site.declared(all, newer));
            assert.ok(await hasPrinted(running, /restart "[abc]" with generation/), running.printed());
            running.kill();
            await running.finished;
            await site.project.cancel();
        }

        it(`goes back to the ${kind} that most members still run, when that is declared again`, async () => {
            await site.work(`an upgrade by a ${kind} dies half-way, and is taken back`);
            await dieAfterTheFirst();
            await site.converges(all);
        });

        it("goes on to the new one", async () => {
            await site.work(`an upgrade by a ${kind} dies half-way`);
            await dieAfterTheFirst();
            await site.converges(all, newer);
            for (const name of all) {
                const status = await site.etcdctl(name, "endpoint status --write-out json");
                assert.ok(status.includes(`"version":"${newer.version}"`), status);
            }
        });
    });
}
