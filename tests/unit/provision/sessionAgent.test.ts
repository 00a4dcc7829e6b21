import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { whyCommandFails } from "../../../components/remote/sessionAgent";
import { SESSION_AGENT, type SshTarget } from "../../../components/remote/target";

describe("the agent of whoever is logged in", () => {
    const directory = mkdtempSync(join(tmpdir(), "agent-"));
    const socket = join(directory, "agent");
    const before = process.env.SSH_AUTH_SOCK;
    const target: SshTarget = { address: "10.0.0.11", user: "root", privateKey: "…" };
    const own: SshTarget = { ...target, agentSocket: "/run/agent" };

    afterEach(() => {
        if (before === undefined) delete process.env.SSH_AUTH_SOCK;
        else process.env.SSH_AUTH_SOCK = before;
    });
    after(() => rmSync(directory, { recursive: true }));

    it("speaks against a run when it is gone, by which staging would fail, whatever the login is by", async () => {
        process.env.SSH_AUTH_SOCK = socket;
        const gone = /SSH_AUTH_SOCK is \S+agent, where no agent answers, .*: unset it, or start an agent$/;
        assert.match((await whyCommandFails([target])) ?? "", gone);
        assert.match((await whyCommandFails([own, { ...own, bastion: target }])) ?? "", gone);
        assert.match((await whyCommandFails([{ ...target, agentSocket: SESSION_AGENT }])) ?? "", gone);
    });

    it("speaks against nothing when nobody asks for it, it is not there, or it answers", async () => {
        process.env.SSH_AUTH_SOCK = socket;
        assert.equal(await whyCommandFails([own]), undefined);
        const agent = createServer().listen(socket);
        await new Promise((resolve) => agent.once("listening", resolve));
        try {
            assert.equal(await whyCommandFails([target]), undefined);
        } finally {
            agent.close();
        }
        delete process.env.SSH_AUTH_SOCK;
        assert.equal(await whyCommandFails([target]), undefined);
    });
});
