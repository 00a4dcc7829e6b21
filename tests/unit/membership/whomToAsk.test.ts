import assert from "node:assert/strict";

import { silentPeer } from "../../../components/membership/whomToAsk";
import { changed, found } from "../adoption/found";

describe("the connections that a leader has with a member that is removed", () => {
    const ofA = { leader: "b", peerUrls: ["http://10.0.0.1:2380"] };

    it("are left alone while the leader hears it", () => {
        assert.equal(silentPeer(found, "id-a"), undefined);
    });

    it("are ended where it is not heard, whether it answers or not, and whether its host is known or not", () => {
        const cutOff = changed(found, "a", { servesPeers: false });
        assert.deepEqual(silentPeer(cutOff, "id-a"), ofA);
        assert.deepEqual(silentPeer(changed(cutOff, "a", { status: undefined }), "id-a"), ofA);
        const { a: _gone, ...others } = found.hosts;
        assert.deepEqual(silentPeer({ ...found, hosts: others }, "id-a"), ofA);
    });

    it("can't be ended where nobody answers as the leader", () => {
        const mute = changed(changed(found, "b", { status: undefined }), "a", { servesPeers: false });
        assert.equal(silentPeer(mute, "id-a"), undefined);
    });
});
