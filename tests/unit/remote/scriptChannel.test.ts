import assert from "node:assert/strict";
import { PassThrough } from "node:stream";
import type { ClientChannel } from "ssh2";

import { isRemoteError } from "../../../components/remote/errors";
import { ScriptChannel } from "../../../components/remote/scriptChannel";

const target = { address: "10.0.0.1", user: "operator", sudoPassword: "right" };

/** What becomes of a script where sudo says this, and waits on. */
async function told(stderr: string): Promise<Error> {
    const channel = Object.assign(new PassThrough(), { stderr: new PassThrough(), signal: () => {}, close: () => {} });
    const script = new ScriptChannel(channel as unknown as ClientChannel, target, true, () => {});
    channel.stderr.write(stderr);
    return script.started.then(
        () => assert.fail("it did not start"),
        (error: Error) => error,
    );
}

describe("a sudo that does not take the password", () => {
    it("is told with what it says: the account may be locked after too many tries", async () => {
        const error = await told("The account is locked due to 3 failed logins.\nSorry, try again.\n");
        assert.ok(isRemoteError(error, "sudo-wrong-password"));
        assert.match(error.message, /sudo does not accept sudoPassword; give the user's password.*is locked/);
    });

    it("is not told as a wrong password where the right one has expired", async () => {
        const error = await told("sudo: Account or password is expired, reset your password and try again\n");
        assert.ok(isRemoteError(error, "sudo-refused"));
        assert.match(error.message, /can't become root: the user's password or account has expired; renew it/);
    });
});
