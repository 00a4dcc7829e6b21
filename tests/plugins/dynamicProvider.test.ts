import assert from "node:assert/strict";
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

import type { DynamicProgram } from "./programs/dynamic";
import { Project } from "./project";

const directory = join(__dirname, "..", "..", "components", "dynamicProvider");
const LINES = `plugins: { providers: [{ name: pulumi-nodejs, path: ${JSON.stringify(directory)} }] }\n`;

/** Without TypeScript and the resolver. */
const OF_THE_SDK = 200;

interface Outputs {
    readonly awaited: boolean;
    readonly compiled: string;
    readonly resolver: string;
    readonly startedBy: string;
}

describe("the provider for dynamic resources, begun by the package", function () {
    this.timeout(120_000);

    let project: Project;
    let plain: string;
    let cache: string;

    const settings = (lines: string): void => writeFileSync(join(project.directory, "Pulumi.yaml"), plain + lines);
    const program = (value: string): DynamicProgram => ({ value });

    before(async () => {
        cache = mkdtempSync(join(tmpdir(), "pulumi-etcd-cache-"));
        project = await Project.open("dynamic.ts", { XDG_CACHE_HOME: cache, NODE_COMPILE_CACHE: "" });
        plain = readFileSync(join(project.directory, "Pulumi.yaml"), "utf8");
    });

    after(() => {
        project?.close();
        rmSync(cache, { recursive: true });
    });

    beforeEach(() => settings(LINES));

    it("makes a resource of the program's own, which loads what the SDK's provider has not loaded", async () => {
        const { code, text } = await project.up(program("one"));

        assert.equal(code, 0, text);
        assert.deepEqual(await project.outputs<Outputs>(), {
            awaited: true,
            compiled: "var one = 1;\n",
            resolver: "Arborist",
            startedBy: "dynamicProvider/begin.js",
        });
    });

    it("has kept what Node compiled of the SDK", () => {
        const kept = readdirSync(join(cache, "pulumi-etcd", "compiled"), { recursive: true });
        assert.ok(kept.length > OF_THE_SDK, `Node kept ${kept.length} files`);
    });

    for (const { title, lines } of [
        { title: "the lines are taken away", lines: "" },
        { title: "they are back", lines: LINES },
    ]) {
        it(`changes nothing when ${title}`, async () => {
            settings(lines);

            const { code, text } = await project.up(program("one"), "--expect-no-changes");

            assert.equal(code, 0, text);
        });
    }

    for (const { value, said } of [
        { value: "refused", said: "nobody wants it" },
        { value: "failing", said: "it could not be made" },
    ]) {
        it(`says what the engine's own says of a resource that is ${value}`, async () => {
            await project.destroy();
            const told = (text: string): string | undefined => text.split("\n").find((line) => line.includes(said));
            const ours = await project.up(program(value));
            settings("");

            const theirs = await project.up(program(value));

            assert.deepEqual([ours.code, told(ours.text)], [theirs.code, told(theirs.text)]);
            assert.notEqual(told(ours.text), undefined);
        });
    }
});
