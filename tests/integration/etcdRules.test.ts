import assert from "node:assert/strict";

import { grown, insist, ModelOfEtcd, until, type Subject } from "./etcdRulesSubject";
import { RealEtcd } from "./etcdRulesReal";

const names = "abcde";

/** Those that the model stands for. */
const series = ["3.6", "3.7"];

/** The model says for certain what real etcd says too: each rule is tried on both. */
const subjects: Readonly<Record<string, () => Promise<Subject>>> = {
    "the simulator's model": () => Promise.resolve(new ModelOfEtcd(names)),
    ...Object.fromEntries(series.map((version) => [`etcd ${version}`, () => RealEtcd.open(version, names)])),
};

for (const [called, open] of Object.entries(subjects)) {
    describe(`the rules of membership, as ${called} has them`, () => {
        let subject: Subject;

        beforeEach(async () => {
            subject = await open();
        });

        afterEach(async () => {
            await subject?.close();
        });

        it("take a peer URL once, and no more learners than the limit", async () => {
            await grown(subject, "a", [2]);
            assert.equal(subject.add("a", "b"), "ok");
            assert.equal(subject.add("a", "b"), "peer-url-exists");
            assert.equal(subject.add("a", "c"), "ok");
            assert.equal(subject.add("a", "d"), "too-many-learners");
            assert.deepEqual(subject.list("a"), ["a votes", "b learns", "c learns"]);
            assert.equal(subject.remove("a", "c"), "ok");
            assert.equal(subject.remove("a", "c"), "member-not-found");
        });

        it("let nobody found a cluster who does not find itself in what it is told", async () => {
            subject.start("a", "b", "new", 2);
            await until(subject, "a gives up", () => subject.isOut("a"));
            assert.equal(subject.hasData("a"), false);
            subject.start("a", "a", "new", 2);
            await until(subject, "a answers", () => subject.isNamed("a", "a"));
        });

        it("let nobody join who was told another number of members", async () => {
            await grown(subject, "a", [2]);
            assert.equal(subject.add("a", "b"), "ok");
            assert.equal(subject.add("a", "c"), "ok");
            subject.start("b", "ab", "existing", 2);
            await until(subject, "b gives up", () => subject.isOut("b"));
            assert.equal(subject.hasData("b"), false);
            subject.start("b", "abc", "existing", 2);
            await until(subject, "b joins", () => subject.hasData("b"));
        });

        it("let nobody join who would take fewer learners than there are", async () => {
            await grown(subject, "a", [2]);
            assert.equal(subject.add("a", "b"), "ok");
            assert.equal(subject.add("a", "c"), "ok");
            subject.start("b", "abc", "existing", 1);
            await until(subject, "b gives up", () => subject.isOut("b"));
            assert.equal(subject.hasData("b"), false);
        });

        it("promote a learner that is in sync, once; and only voters lead", async () => {
            await grown(subject, "a", [2]);
            assert.equal(subject.add("a", "b"), "ok");
            assert.equal(subject.promote("a", "b"), "not-in-sync");
            assert.equal(subject.moveLeader("a", "b"), "bad-transferee");
            subject.start("b", "ab", "existing", 2);
            const refusals = await insist(subject, "promote b", () => subject.promote("a", "b"));
            assert.deepEqual(
                refusals.filter((answer) => answer !== "not-in-sync"),
                [],
            );
            assert.equal(subject.promote("a", "b"), "not-learner");
            await until(subject, "b is named", () => subject.isNamed("a", "b"));
            assert.equal(subject.moveLeader("a", "b"), "ok");
            assert.deepEqual(subject.list("b"), ["a votes", "b votes"]);
        });

        it("take a promotion from any voter, and the lead only from who has it, for a voter that is there", async () => {
            await grown(subject, "ab", [2, 2]);
            await insist(subject, "add c", () => subject.add("a", "c"));
            subject.start("c", "abc", "existing", 2);
            await insist(subject, "promote c by way of b", () => subject.promote("b", "c"));
            await until(subject, "c is named", () => subject.isNamed("a", "c"));
            assert.equal(subject.moveLeader("b", "c"), "not-leader");
            await subject.stop("c");
            await until(subject, "a hears c no more", async () => !(await subject.hears("a", "c")));
            assert.equal(subject.moveLeader("a", "c"), "timeout");
            await insist(subject, "b leads", () => subject.moveLeader("a", "b"));
            assert.equal(subject.moveLeader("a", "b"), "not-leader");
        });

        it("let a learner go also while a voter is down", async () => {
            await grown(subject, "abc", [2, 2, 2]);
            await insist(subject, "add d", () => subject.add("a", "d"));
            await subject.stop("c");
            await until(subject, "a hears c no more", async () => !(await subject.hears("a", "c")));
            assert.equal(subject.remove("a", "d"), "ok");
            assert.deepEqual(subject.list("a"), ["a votes", "b votes", "c votes"]);
        });

        it("add nobody before each voter has been connected for 5 s", async () => {
            await grown(subject, "a", [2]);
            assert.equal(subject.add("a", "b"), "ok");
            const began = subject.now;
            subject.start("b", "ab", "existing", 2);
            await insist(subject, "promote b", () => subject.promote("a", "b"));
            const refusals = await insist(subject, "add c", () => subject.add("a", "c"));
            assert.deepEqual(refusals, ["unhealthy-cluster"]);
            const seconds = (subject.now - began) / 1000;
            assert.ok(seconds >= 5 && seconds < 15, `c was added ${seconds} s after b was started`);
        });

        it("keep the voters that a quorum needs, let the dead go, and take nobody while one is down", async () => {
            await grown(subject, "abc", [2, 2, 2]);
            await until(subject, "a hears c", () => subject.hears("a", "c"));
            await subject.stop("c");
            await until(subject, "a hears c no more", async () => !(await subject.hears("a", "c")));
            assert.equal(subject.add("a", "d"), "unhealthy-cluster");
            assert.equal(subject.remove("a", "b"), "unhealthy-cluster");
            assert.equal(subject.remove("a", "c"), "ok");
            assert.deepEqual(subject.list("a"), ["a votes", "b votes"]);
            subject.restart("c");
            await until(subject, "c, which was removed, ends", () => subject.isOut("c"));
        });

        it("promote a learner that is dead, which costs one voter its quorum", async () => {
            await grown(subject, "a", [2]);
            assert.equal(subject.add("a", "b"), "ok");
            subject.start("b", "ab", "existing", 2);
            await until(subject, "b is named", () => subject.isNamed("a", "b"));
            await subject.stop("b");
            assert.equal(subject.promote("a", "b"), "ok");
            await until(subject, "a hears b no more", async () => !(await subject.hears("a", "b")));
            assert.equal(subject.add("a", "c"), "unhealthy-cluster");
            subject.restart("b");
            await insist(subject, "add c", () => subject.add("a", "c"));
        });

        it("give no member another's peer URL", async () => {
            await grown(subject, "ab", [2, 2]);
            assert.equal(subject.update("a", "b", "a"), "peer-url-exists");
            assert.equal(subject.update("a", "b", "c"), "ok");
            assert.deepEqual(subject.list("a"), ["a votes", "c votes"]);
        });

        it("keep a voter that the list has elsewhere, which its peers do not hear; two of them find each other no more", async () => {
            await grown(subject, "abc", [2, 2, 2]);
            assert.equal(subject.update("a", "b", "d"), "ok");
            await subject.stop("b");
            await until(subject, "a hears b no more", async () => !(await subject.hears("a", "b")));
            subject.restart("b");
            await until(subject, "b hears a", () => subject.hears("b", "a"));
            await subject.stop("c");
            await insist(subject, "a quorum of a and b", () => subject.update("a", "c", "e"));
            assert.equal(await subject.hears("a", "b"), false);
            assert.equal(subject.add("a", "e"), "unhealthy-cluster");
            subject.restart("c");
            await until(subject, "c hears a", () => subject.hears("c", "a"));
            await subject.stop("a");
            const later = subject.now + 10_000;
            await until(subject, "an election had time", () => subject.now > later);
            assert.notEqual(subject.update("b", "a", "a"), "ok");
        });

        it("keep those connected that were, wherever the list has them, until one of them starts anew", async () => {
            await grown(subject, "abc", [2, 2, 2]);
            await until(subject, "all hear b and c", async () => {
                return (await subject.hears("b", "c")) && (await subject.hears("c", "b"));
            });
            assert.equal(subject.update("a", "b", "d"), "ok");
            await insist(subject, "list c elsewhere", () => subject.update("a", "c", "e"));
            await subject.stop("a");
            await insist(subject, "a quorum of b and c", () => subject.update("b", "a", "c"));
        });

        it("let one that the list has elsewhere call those that start anew", async () => {
            await grown(subject, "abc", [2, 2, 2]);
            assert.equal(subject.update("a", "b", "d"), "ok");
            await until(subject, "c knows where b is listed", () => subject.list("c").includes("d votes"));
            // What it knows is on its disk a moment later (etcd server/storage/backend/backend.go: defaultBatchInterval).
            const later = subject.now + 1000;
            await until(subject, "c has kept it", () => subject.now > later);
            await subject.stop("c");
            subject.restart("c");
            await until(subject, "b hears c", () => subject.hears("b", "c"));
            await subject.stop("a");
            await insist(subject, "a quorum of b and c", () => subject.update("b", "a", "e"));
            assert.equal(await subject.hears("c", "b"), false);
        });

        it("judge each by the connections that it made: a voter that it can't call keeps one from changes which that voter lets pass", async () => {
            await grown(subject, "abc", [2, 2, 2]);
            assert.equal(subject.update("a", "b", "d"), "ok");
            await subject.stop("b");
            await until(subject, "a hears b no more", async () => !(await subject.hears("a", "b")));
            subject.restart("b");
            await until(subject, "b hears a and c", async () => {
                return (await subject.hears("b", "a")) && (await subject.hears("b", "c"));
            });
            await insist(subject, "add e by way of b", () => subject.add("b", "e"));
            assert.equal(subject.remove("a", "e"), "ok");
            assert.equal(subject.add("a", "e"), "unhealthy-cluster");
            assert.equal(subject.remove("a", "c"), "unhealthy-cluster");
            assert.equal(subject.remove("b", "c"), "ok");
            assert.deepEqual(subject.list("a"), ["a votes", "d votes"]);
        });

        it("let nobody join who finds no member where the list says", async () => {
            await grown(subject, "a", [2]);
            assert.equal(subject.update("a", "a", "e"), "ok");
            assert.equal(subject.add("a", "b"), "ok");
            subject.start("b", "eb", "existing", 2);
            await until(subject, "b gives up", () => subject.isOut("b"));
            assert.equal(subject.hasData("b"), false);
        });

        it("elect another leader when theirs is gone, which then lets it go", async () => {
            await grown(subject, "abc", [2, 2, 2]);
            // Until it has heard that c votes, b needs the vote of a.
            const knowsAll = (name: string): boolean => subject.list(name).every((member) => member.endsWith(" votes"));
            await until(subject, "b and c know of three voters", () => knowsAll("b") && knowsAll("c"));
            await subject.stop("a");
            const moves = (): boolean => subject.moveLeader("b", "c") === "ok" || subject.moveLeader("c", "b") === "ok";
            await until(subject, "b or c leads", moves);
            assert.equal(subject.remove("b", "a"), "ok");
            assert.deepEqual(subject.list("b"), ["b votes", "c votes"]);
        });

        it("count as started who made its name known", async () => {
            await grown(subject, "ab", [2, 2]);
            await insist(subject, "add d", () => subject.add("a", "d"));
            assert.equal(subject.remove("a", "d"), "ok");
            assert.equal(subject.addVoter("a", "c"), "ok");
            assert.equal(subject.remove("a", "b"), "not-enough-started");
            assert.equal(subject.add("a", "d"), "unhealthy-cluster");
            assert.equal(subject.remove("a", "c"), "ok");
            assert.deepEqual(subject.list("a"), ["a votes", "b votes"]);
        });
    });
}

describe("a voter that lost its data", () => {
    it("starts empty under its old identity, which the model holds against the plan", async () => {
        const told = "a voter that started empty";
        const model = new ModelOfEtcd(names);
        await grown(model, "ab", [2, 2]);
        await model.stop("b");
        model.wipe("b");
        model.start("b", "ab", "existing", 2);
        await assert.rejects(
            until(model, told, () => false),
            /started empty under an identity that has voted/,
        );
        for (const version of series) {
            const real = await RealEtcd.open(version, names);
            try {
                await grown(real, "ab", [2, 2]);
                await real.stop("b");
                real.wipe("b");
                real.start("b", "ab", "existing", 2);
                await until(real, told, () => real.hasData("b"));
            } finally {
                await real.close();
            }
        }
    });
});

describe("the limit of learners", () => {
    for (const version of ["3.5", "3.7"]) {
        it(`is ${version === "3.5" ? "one, which nothing changes" : "the one that is set"}, with etcd ${version}`, async () => {
            const limit = version === "3.5" ? undefined : 2;
            for (const subject of [new ModelOfEtcd(names), await RealEtcd.open(version, names)]) {
                try {
                    await grown(subject, "a", [limit]);
                    assert.equal(subject.add("a", "b"), "ok", subject.name);
                    assert.equal(subject.add("a", "c"), limit === 2 ? "ok" : "too-many-learners", subject.name);
                    assert.equal(subject.add("a", "d"), "too-many-learners", subject.name);
                } finally {
                    await subject.close();
                }
            }
        });
    }

    it("parts the members' lists where they differ in it, which the model holds against the plan", async () => {
        const model = new ModelOfEtcd(names);
        await grown(model, "ab", [1, 3]);
        await insist(model, "add c", () => model.add("a", "c"));
        assert.equal(model.add("a", "d"), "parts");
        for (const version of series) {
            const real = await RealEtcd.open(version, names);
            try {
                await grown(real, "ab", [1, 3]);
                await insist(real, "add c", () => real.add("a", "c"));
                real.add("a", "d");
                await until(real, "b takes d", () => real.list("b").includes("d learns"));
                assert.deepEqual(real.list("a"), ["a votes", "b votes", "c learns"]);
                assert.deepEqual(real.list("b"), ["a votes", "b votes", "c learns", "d learns"]);
            } finally {
                await real.close();
            }
        }
    });
});
