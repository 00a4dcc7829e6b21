import assert from "node:assert/strict";
import { cpSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";

import { succeed } from "../../lab/command";
import { openBed, voters, type Bed } from "./fixture";
import { Project } from "./project";

const checkout = join(__dirname, "..", "..");

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
    });

    after(async () => {
        project.close();
        await bed.lab.down();
    });

    it("builds a cluster from a JavaScript program where no TypeScript is installed", async () => {
        const packages = join(project.directory, "node_modules");
        for (const name of ["pulumi-etcd", "ts-node", "@swc"]) rmSync(join(packages, name));
        cpSync(join(checkout, "dist"), join(packages, "pulumi-etcd"), { recursive: true });
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
