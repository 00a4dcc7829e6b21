import assert from "node:assert/strict";
import { cpSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";

import { succeed } from "../../lab/command";
import { openBed, voters, type Bed } from "./fixture";
import { Project } from "./project";

const checkout = join(__dirname, "..", "..");
/** More than the package has: the rest is the SDK's. */
const MODULES_OF_OURS = 150;

describe("the package as it is published", () => {
    let bed: Bed;
    let project: Project;

    before(async () => {
        [bed, project] = await Promise.all([openBed("it-package", "10.80.2", 1), Project.open()]);
        await succeed(
            process.execPath,
            [join(checkout, "toolchain", "bootstrap.js"), join(checkout, "toolchain", "package.ts")],
            { timeoutSeconds: 120 },
        );
        const packages = join(project.directory, "node_modules");
        for (const name of ["pulumi-etcd", "ts-node", "@swc"]) rmSync(join(packages, name));
        cpSync(join(checkout, "dist"), join(packages, "pulumi-etcd"), { recursive: true });
    });

    after(async () => {
        project.close();
        await bed.lab.down();
    });

    it("leaves types to the editor, as the README says, and keeps what Node compiles of the SDK when it is imported first", async () => {
        const [, config] = /```json\n([^]*?)```/.exec(readFileSync(join(checkout, "README.md"), "utf8"))!;
        writeFileSync(join(project.directory, "tsconfig.json"), config!);
        writeFileSync(
            join(project.directory, "index.ts"),
            `import { EtcdCluster } from "pulumi-etcd";
import * as pulumi from "@pulumi/pulumi";

const notANumber: number = pulumi.getStack();
export const isKnown = [EtcdCluster.name, notANumber];\n`,
        );
        const cache = join(project.directory, "cache");

        await project.with({ XDG_CACHE_HOME: cache, NODE_COMPILE_CACHE: "" }).mustUp({});

        const kept = readdirSync(join(cache, "pulumi-etcd", "compiled"), { recursive: true, encoding: "utf8" });
        assert.ok(kept.length > MODULES_OF_OURS * 2, `Node kept ${kept.length} files`);
    });

    it("builds a cluster from a JavaScript program where no TypeScript is installed", async () => {
        rmSync(join(project.directory, "index.ts"));
        rmSync(join(project.directory, "tsconfig.json"));
        writeFileSync(
            join(project.directory, "index.js"),
            `const { EtcdCluster } = require("pulumi-etcd");
const [[name, args]] = Object.entries(require("./clusters.json"));
exports.endpoints = new EtcdCluster(name, args).endpoints;\n`,
        );
        writeFileSync(
            join(project.directory, "Pulumi.yaml"),
            "name: user-program\nruntime: { name: nodejs, options: { typescript: false } }\nmain: index.js\n",
        );

        await project.mustUp({ packed: bed.declare(1) });

        assert.deepEqual(await voters(bed.lab.host("a"), "packed"), ["a"]);
        const destroyed = await project.destroy();
        assert.equal(destroyed.code, 0, destroyed.text);
    });
});
