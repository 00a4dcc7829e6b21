import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { promisify } from "node:util";

const checkout = join(__dirname, "..", "..");
const run = promisify(execFile);
const read = (path: string): string => readFileSync(join(checkout, path), "utf8");
const markdown = (directory: string): readonly string[] =>
    readdirSync(join(checkout, directory))
        .filter((name) => name.endsWith(".md"))
        .map((name) => join(directory, name));

const DOCUMENTS = [...markdown("."), ...markdown("docs"), ...markdown("docs/decisions")];

/** Where the tests are that a document names without a directory. */
const HOME: Readonly<Record<string, string>> = { "docs/guide.md": "integration", "docs/faults.md": "faults" };

/** A test that a document names: a file, or a title in it. */
interface Reference {
    readonly document: string;
    readonly file: string;
    readonly title?: string;
}

/** The cells of columns that are called "test", and elsewhere each `file`: "title", "title". */
function passages(text: string): readonly string[] {
    const lines = text.split("\n");
    const cells: string[] = [];
    let column = -1;
    for (const line of lines) {
        const row = line.startsWith("|") ? line.split("|").map((cell) => cell.trim()) : [];
        const cell = row[column] ?? "";
        if (row.length === 0) column = -1;
        else if (column < 0) column = row.indexOf("test");
        else if (!/^-+$/.test(cell)) cells.push(cell);
    }
    const prose = lines.filter((line) => !line.startsWith("|")).join(" ");
    return [...cells, ...(prose.match(/`[a-zA-Z/]+`: "[^"]+"(, "[^"]+")*/g) ?? [])];
}

/** A name alone is of a file in the document's own directory, or of one beside the file that was named before. */
function fileOf(document: string, name: string, before: string | undefined): string {
    const places = [join(HOME[document] ?? "", name), name, join(dirname(before ?? ""), name)];
    const files = places.map((place) => `tests/${place}.test.ts`);
    const file = files.find((path) => existsSync(join(checkout, path)));
    assert.ok(file, `${document} names the tests "${name}", and there are none of that name`);
    return file;
}

function references(document: string): readonly Reference[] {
    return passages(read(document)).flatMap((passage) => {
        let file: string | undefined;
        return [...passage.matchAll(/`([^`]+)`|"([^"]+)"/g)].map(([, name, title]) => {
            if (name !== undefined) {
                file = fileOf(document, name, file?.slice("tests/".length));
                return { document, file };
            }
            assert.ok(file && title, `${document} names a test without its file: ${passage}`);
            return { document, file, title };
        });
    });
}

/** The titles of all tests of some files, each with those of the suites around it. */
async function titlesOf(files: readonly string[]): Promise<ReadonlyMap<string, readonly string[]>> {
    const mocha = ["node_modules/mocha/bin/mocha.js", "--require", "toolchain/register.js", "--dry-run"];
    const { stdout } = await run(process.execPath, [...mocha, "--exit", "--reporter", "json", ...files], {
        cwd: checkout,
        maxBuffer: 2 ** 26,
    });
    const { tests } = JSON.parse(stdout) as { tests: readonly { file: string; fullTitle: string }[] };
    return new Map(
        files.map((path) => [
            path,
            tests.filter(({ file }) => file === join(checkout, path)).map(({ fullTitle }) => fullTitle),
        ]),
    );
}

/** A title as documents write it: … stands for any words. */
function pattern(title: string): RegExp {
    const words = title.split("…").map((part) => part.trim().replace(/[.*+?^${}()|[\]\\]/g, "\\$&"));
    const [start, end] = [title.startsWith("…") ? "" : "(^| )", title.endsWith("…") ? "" : "( |$)"];
    return new RegExp(`${start}${words.join(".*")}${end}`);
}

/** What a link goes to in a document: its headings, as they are called in addresses. */
function anchors(text: string): readonly string[] {
    return [...text.matchAll(/^#+ (.*)$/gm)].map(([, heading = ""]) =>
        heading
            .toLowerCase()
            .replace(/[^\p{L}\p{N} -]/gu, "")
            .replaceAll(" ", "-"),
    );
}

describe("the documents", () => {
    it("name tests that there are", async () => {
        const all = DOCUMENTS.flatMap(references);
        const titles = await titlesOf([...new Set(all.map(({ file }) => file))]);
        const missing = all.filter(
            ({ file, title }) => title !== undefined && !titles.get(file)!.some((one) => pattern(title).test(one)),
        );
        assert.ok(all.length > 100, "all of them are looked up");
        assert.deepEqual(missing, []);
    }).timeout(60_000);

    it("name files and commands that there are", () => {
        const { scripts } = JSON.parse(read("package.json")) as { scripts: Readonly<Record<string, string>> };
        for (const document of DOCUMENTS) {
            const text = read(document);
            for (const [, path = ""] of text.matchAll(
                /`((?:bench|components|docs|lab|stacks|tests|toolchain)\/[\w./-]+)`/g,
            ))
                assert.ok(
                    [path, `${path}.ts`].some((one) => existsSync(join(checkout, one))),
                    `${document}: ${path}`,
                );
            for (const [, script = ""] of text.matchAll(/npm run ([\w:]+)/g))
                assert.ok(script in scripts, `${document}: npm run ${script}`);
        }
    });

    it("link to documents and headings that there are", () => {
        for (const document of DOCUMENTS) {
            for (const [, path = "", anchor] of read(document).matchAll(/\]\((?!https?:)([^)#]*)(?:#([^)]*))?\)/g)) {
                const target = path === "" ? document : join(dirname(document), path);
                assert.ok(existsSync(join(checkout, target)), `${document}: ${target}`);
                if (anchor !== undefined)
                    assert.ok(anchors(read(target)).includes(anchor), `${document}: ${target}#${anchor}`);
            }
        }
    });

    it("say how many files of tests there are, and how many of them are run on request only", () => {
        const files = ["integration", "faults"].flatMap((suite) =>
            readdirSync(join(checkout, "tests", suite)).filter((name) => name.endsWith(".test.ts")),
        );
        const [, list = ""] = /ON_REQUEST[^=]*= \{([^]*?)\n\};/.exec(read("tests/run.ts"))!;
        const left = list.match(/"\w+"/g) ?? [];
        assert.ok(read("docs/faults.md").includes(`leaves out ${left.length} of the ${files.length} files`));
    });
});
