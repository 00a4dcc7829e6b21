import assert from "node:assert/strict";

import { tellingLines } from "../../../components/membership/logLines";

describe("the lines of a journal that tell why", () => {
    const info = `{"level":"info","ts":"2026-01-01T00:00:00Z","msg":"closed etcd server","name":"b"}`;
    const fatal = `{"level":"fatal","ts":"2026-01-01T00:00:00Z","caller":"etcdmain/etcd.go:183","msg":"discovery failed","error":"invalid duration \\"9h\\"","stacktrace":"main\\n\\tmain.go:1"}`;

    it("are etcd's own from level warn on, without time, place and stack, and all of the others'", () => {
        const journal = [info, fatal, info, "etcd-x.service: Main process exited", ""].join("\n");
        assert.deepEqual(tellingLines(journal, 8), [
            'fatal: discovery failed: invalid duration "9h"',
            "etcd-x.service: Main process exited",
        ]);
    });

    it("are each told once, where a start was tried again and again", () => {
        const journal = [fatal, "Stopped.", fatal, "Stopped.", "panic: x"].join("\n");
        assert.deepEqual(tellingLines(journal, 8), [
            'fatal: discovery failed: invalid duration "9h"',
            "Stopped.",
            "panic: x",
        ]);
    });

    it("are the last ones, and no more than asked for", () => {
        assert.deepEqual(tellingLines("1\n2\n3\n", 2), ["2", "3"]);
    });

    it("are the last ones of any kind where all goes well", () => {
        assert.deepEqual(tellingLines(`${info}\n`, 2), ["info: closed etcd server"]);
    });

    it("are shortened, and taken as they stand where they look like JSON and are none", () => {
        const [line = ""] = tellingLines(`{"level":"warn", ${"x".repeat(400)}`, 1);
        assert.equal(line.length, 301);
        assert.match(line, /^\{"level":"warn", x+…$/);
    });
});
