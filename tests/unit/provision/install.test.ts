import assert from "node:assert/strict";

import { install, installError } from "../../../components/provision/install";
import { freePort } from "../../freePort";
import { host, inputs } from "./declared";

describe("an installation that fails", () => {
    const said =
        'host "b": etcd 3.6.16 was not installed: the archive has the sha256 1, wanted is 2: give the right archive';

    it("ends with what to type next, once what it says is done", () => {
        const error = installError([{ message: said, away: undefined }]);
        assert.equal(error, `${said}\nnext: once that is done, pulumi up`);
    });

    it("ends with how to see whether the host is back, where it was away", async () => {
        const port = await freePort();
        const ssh = { address: "127.0.0.1", port, user: "root", password: "x", insecureSkipHostKeyCheck: true };
        const source = { source: "url", url: "https://h/etcd.tar.gz", sha256: "0".repeat(64) } as const;
        const failures = await install({ ...inputs, install: source }, [{ ...host, ssh }]);
        assert.match(
            installError([{ message: said, away: undefined }, ...failures]),
            new RegExp(
                `^${said}\nhost "a": etcd \\S+ was not installed: .*nothing listens on port ${port}.*\nnext: ssh -p ${port} root@127\\.0\\.0\\.1 true, then pulumi up$`,
            ),
        );
    });
});
