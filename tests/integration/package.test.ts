import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import {
    accessSync,
    constants,
    existsSync,
    mkdtempSync,
    readdirSync,
    readFileSync,
    rmSync,
    writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";

import { openBed, voters, type Bed } from "./fixture";
import { Project } from "./project";
import { installPackage, installPacked, manifestOf } from "./published";
import { readme, readmePlugins, readmeProgram, readmeTsconfig } from "./readme";

const checkout = join(__dirname, "..", "..");

/** Some 800 modules are the SDK's and what it needs; where that is imported first, only some 50 of the package are kept. */
const WITH_THE_SDK = 300;

describe("the package as it is published", () => {
    let bed: Bed;
    let project: Project;

    before(async () => {
        [bed, project] = await Promise.all([openBed("it-package", "10.80.2", 1), Project.open()]);
        installPackage(project);
        for (const name of ["ts-node", "@swc"]) rmSync(join(project.directory, "node_modules", name));
    });

    after(async () => {
        project.close();
        await bed.lab.down();
    });

    it("leaves types to the editor, as the README says, and keeps what Node compiles of the SDK when it is imported first", async () => {
        project.useTypeScript(
            `import { EtcdCluster } from "pulumi-etcd";
import * as pulumi from "@pulumi/pulumi";

const notANumber: number = pulumi.getStack();
export const isKnown = [EtcdCluster.name, notANumber];\n`,
            readmeTsconfig(),
        );
        const cache = join(project.directory, "cache");

        await project.with({ XDG_CACHE_HOME: cache, NODE_COMPILE_CACHE: "" }).mustUp({});

        const kept = readdirSync(join(cache, "pulumi-etcd", "compiled"), { recursive: true, encoding: "utf8" });
        assert.ok(kept.length > WITH_THE_SDK, `Node kept ${kept.length} files`);
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

describe("the package as npm packs it", () => {
    let directory: string;
    let installed: string;

    before(async () => {
        directory = mkdtempSync(join(tmpdir(), "pulumi-etcd-packed-"));
        installed = await installPacked(directory);
    });

    after(() => rmSync(directory, { recursive: true, force: true }));

    it("has types that hold without this checkout's own, in the program and with the settings of the README", () => {
        writeFileSync(join(directory, "index.ts"), readmeProgram());
        writeFileSync(join(directory, "tsconfig.json"), readmeTsconfig());

        const tsc = join(checkout, "node_modules", ".bin", "tsc");
        const { status, stdout } = spawnSync(tsc, ["--noEmit"], { cwd: directory, encoding: "utf8" });

        assert.equal(status, 0, stdout);
    });

    it("is what the README has users install, and alone may be published", () => {
        const packed = manifestOf(installed);

        assert.ok(readme().includes(`npm install /path/to/${packed.name}-${packed.version}.tgz`));
        assert.deepEqual([packed.private, manifestOf(checkout).private], [undefined, true]);
    });

    it("has what the engine is to begin, where the README's lines say", () => {
        const [, place] = /^ *path: (.*)$/m.exec(readmePlugins())!;
        accessSync(join(directory, place!, "pulumi-resource-pulumi-nodejs"), constants.X_OK);
    });

    it("has what its documents link to", () => {
        const documents = readdirSync(installed, { recursive: true, encoding: "utf8" }).filter((path) =>
            path.endsWith(".md"),
        );

        const links = documents.flatMap((path) =>
            linked(readFileSync(join(installed, path), "utf8")).map((target) => join(dirname(path), target)),
        );

        assert.ok(links.length > 0);
        assert.deepEqual(
            links.filter((path) => !existsSync(join(installed, path))),
            [],
        );
    });
});

/** The files that a document links to, by their paths from it. */
function linked(document: string): readonly string[] {
    return [...document.matchAll(/\]\(([^)#:]+)(?:#[^)]*)?\)/g)].map(([, path = ""]) => path);
}
