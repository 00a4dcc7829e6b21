/** Whether anything was changed on hosts. */
import assert from "node:assert/strict";

import type { Lab, LabHost } from "../../lab";
import { startTimes } from "./fixture";

/**
 * All that this package ever writes to or starts: files with their owner, mode, size, time and digest (units, and whether they are
 * enabled, users and binaries are files, too), the firewall, and processes of etcd. Taken from within the host and without asking
 * any of its services, so that it does not matter whether the host can be reached or is frozen. Where an etcd runs, it writes to
 * its data by itself: of that, size, time and digest are left out.
 */
async function fingerprint(host: LabHost): Promise<readonly string[]> {
    const text = await host.output(`
        places=$(ls -d /etc /opt /usr/local /var/lib/etcd* /var/lib/pulumi* /usr/bin/etcd* /run/*etcd* /run/systemd/system* 2>/dev/null)
        data='*/member/*'
        pgrep etcd >/dev/null || data=
        find $places -path "$data" -printf '%p %y %m %U:%G\\n' -o -printf '%p %y %m %U:%G %s %T@ %l\\n' | sort
        find $places -type f ! -path "$data" -exec sha256sum {} +
        nft list ruleset 2>/dev/null
        pgrep -a etcd
        true`);
    return text.split("\n");
}

/** Notes how all hosts are; what it returns fails, with what is otherwise, if one is otherwise by then. */
export async function watchHosts(lab: Lab): Promise<() => Promise<void>> {
    const look = () => Promise.all(lab.hosts.map((host) => fingerprint(host)));
    const before = await look();
    return async () => {
        for (const [index, now] of (await look()).entries()) {
            const then = before[index]!;
            const gone = then.filter((line) => !now.includes(line)).map((line) => `- ${line}`);
            const come = now.filter((line) => !then.includes(line)).map((line) => `+ ${line}`);
            assert.deepEqual([...gone, ...come], [], `host "${lab.hosts[index]!.name}" was changed`);
        }
    };
}

/**
 * Notes what a run could change of members in use: files, the firewall, and when etcd was started. Looks at hosts that are named, since
 * others may be dead; what it returns fails if anything of it is otherwise by then.
 */
export async function watchInUse(lab: Lab, names: readonly string[], cluster: string): Promise<() => Promise<void>> {
    const state = `find /etc /opt -type f -exec sha256sum {} + | sort; readlink /etc/etcd/*/current; nft list ruleset`;
    const look = async (): Promise<readonly string[]> => [
        ...(await startTimes(lab, names, cluster)),
        ...(await Promise.all(names.map((name) => lab.host(name).output(state)))),
    ];
    const before = await look();
    return async () => assert.deepEqual(await look(), before);
}
