import assert from "node:assert/strict";
import { join } from "node:path";

import { ESLint } from "eslint";

const checkout = join(__dirname, "..", "..");

interface Restricted {
    readonly rules: { readonly "no-restricted-imports": readonly [number, { readonly patterns: readonly Pattern[] }] };
}
interface Pattern {
    readonly group: readonly string[];
}

describe("import boundaries", () => {
    const eslint = new ESLint({ cwd: checkout });

    async function forbidden(file: string): Promise<readonly string[]> {
        const { rules } = (await eslint.calculateConfigForFile(join(checkout, "components", file))) as Restricted;
        return rules["no-restricted-imports"][1].patterns.flatMap(({ group }) => group);
    }

    for (const file of ["membership/plan.ts", "membership/world.ts", "membership/rules/heal.ts", "host/stage.ts"]) {
        it(`keep effects and the engine out of ${file}`, async () => {
            const groups = await forbidden(file);
            for (const effect of ["ssh2", "etcd3", "node:fs*", "node:child_process", "@pulumi/*"])
                assert.ok(groups.includes(effect), `${effect} is allowed`);
        });
    }

    it("keep the engine out of what acts", async () => {
        assert.deepEqual(await forbidden("membership/act.ts"), ["@pulumi/*"]);
    });
});
