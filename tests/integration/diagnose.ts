/** What one wants to read after a failure, collected before the hosts are gone. */
import { mkdtempSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

import type { Lab } from "../../lab";

/** After each test of the suite that failed: the end of etcd's journal on each host, and where all the rest is kept. */
export function diagnoseFailures(lab: () => Lab | undefined): void {
    afterEach(async function () {
        const hosts = lab();
        if (this.currentTest?.state !== "failed" || !hosts) return;
        // A suite of many minutes tells its failures at its end.
        console.log(`--- ${this.currentTest.err?.message ?? "failed"}`);
        const directory = mkdtempSync(join(tmpdir(), `pulumi-etcd-${hosts.environment}-`));
        await hosts.diagnostics(directory);
        for (const host of hosts.hosts) {
            const told = host.isRunning()
                ? await host
                      .output("journalctl --no-pager --output cat --lines 12 --unit 'etcd-*'")
                      .catch((error: unknown) => String(error))
                : host.state();
            console.log(`--- etcd on ${host.name}\n${told.trimEnd()}`);
        }
        console.log(`--- journals, files and firewalls of all hosts are in ${directory}`);
    });
}
