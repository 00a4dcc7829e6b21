import assert from "node:assert/strict";
import { existsSync, mkdirSync, readdirSync, rmSync } from "node:fs";
import { join } from "node:path";

import { checkout, start, temporaryDirectory, type Ended } from "./process";

describe("what Node has compiled", () => {
    let place: string;
    let home: string;
    let project: string;

    beforeEach(() => {
        place = temporaryDirectory();
        [home, project] = [join(place, "home"), join(place, "project")];
        mkdirSync(home);
        mkdirSync(project);
    });

    afterEach(() => rmSync(place, { recursive: true }));

    /** As a program in the user's project does that imports the package. */
    function load(cache: string): Promise<Ended> {
        const register = join(checkout, "toolchain", "register.js");
        const script = `require(${JSON.stringify(join(checkout, "components", "compileCache"))})`;
        const env = { PATH: process.env.PATH, HOME: home, XDG_CACHE_HOME: cache };
        return start(process.execPath, ["--require", register, "--eval", script], env, project).ended;
    }

    it("is kept where XDG_CACHE_HOME says", async () => {
        assert.equal((await load(join(place, "cache"))).code, 0);
        assert(existsSync(join(place, "cache", "pulumi-etcd", "compiled")));
    });

    for (const cache of ["cache", ""]) {
        it(`is kept in the user's own cache with XDG_CACHE_HOME="${cache}", and nothing in the project`, async () => {
            assert.equal((await load(cache)).code, 0);
            assert(existsSync(join(home, ".cache", "pulumi-etcd", "compiled")));
            assert.deepEqual(readdirSync(project), []);
        });
    }
});
