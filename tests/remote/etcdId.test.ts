import assert from "node:assert/strict";

import fc from "fast-check";

import { decimalId, hexId } from "../../components/remote/etcdId";

describe("An id of etcd", () => {
    it("keeps all of its 64 bits on the way to hexadecimal and back", () => {
        fc.assert(
            fc.property(fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }), (id) => {
                assert.equal(decimalId(hexId(id.toString())), id.toString());
            }),
        );
        assert.equal(hexId("18446744073709551615"), "ffffffffffffffff");
        assert.equal(decimalId("da5afd23d15829d1"), "15734166578450147793");
    });

    it("that is none is refused", () => {
        for (const text of ["", "xyz", "12 34", "-1"]) assert.throws(() => decimalId(text), SyntaxError, text);
    });
});
