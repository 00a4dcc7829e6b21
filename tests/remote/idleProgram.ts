/** Runs a script over SSH, asks etcd if there is one to ask, and closes nothing. */
import { pool } from "../../components/remote/connectionPool";
import type { EtcdAccess } from "../../components/remote/etcdAccess";
import { openEtcd } from "../../components/remote/etcdClient";
import type { SshTarget } from "../../components/remote/target";
import { programInput } from "./program";

interface Input {
    readonly target: SshTarget;
    readonly etcd?: EtcdAccess;
}

async function main(): Promise<void> {
    const { target, etcd } = await programInput<Input>();
    const connection = await pool.connect(target);
    process.stdout.write(await connection.runOrThrow("run", "echo ran"));
    if (etcd === undefined) return;
    const client = await openEtcd(connection, etcd);
    await client.activePeers();
    console.log((await client.status()).memberId);
}

void main();
