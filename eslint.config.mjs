import js from "@eslint/js";
import importX from "eslint-plugin-import-x";
import { createTypeScriptImportResolver } from "eslint-import-resolver-typescript";
import tseslint from "typescript-eslint";

/** Who may import whom: the layout, enforced. `target` may not import `from`. */
const boundaries = [
    { target: "./components", from: ["./lab", "./toolchain", "./tests", "./stacks", "./bench", "./index.ts"] },
    { target: "./components/host", from: ["./components/remote", "./components/membership"] },
    { target: "./components/remote", from: ["./components"], except: ["./remote"] },
    {
        target: [
            "./components/membership/plan.ts",
            "./components/membership/predict.ts",
            "./components/membership/rules",
        ],
        from: ["./components/remote", "./components/membership/act.ts", "./components/membership/observe.ts"],
    },
    { target: "./components/membership", from: ["./components/etcdCluster.ts", "./components/etcdHost.ts"] },
    { target: "./toolchain", from: ["./components", "./lab", "./tests", "./stacks", "./bench"] },
    { target: "./lab", from: ["./tests", "./bench"] },
    { target: "./stacks", from: ["./lab", "./toolchain", "./tests", "./bench"] },
];

/** Pure code: no effects, no engine. */
const pure = [
    "components/host/**/*.ts",
    "components/membership/{clusterId,deviations,plan,predict,tolerance,twins,types,world}.ts",
    "components/membership/rules/**/*.ts",
    "components/validate.ts",
    "components/validation/**/*.ts",
];
const effects = ["ssh2", "etcd3", "@grpc/*", "node:fs*", "fs", "node:net", "node:child_process", "child_process"];

export default tseslint.config(
    { ignores: ["node_modules/**", ".lab/**", "dist/**", "toolchain/plugins/**"] },
    js.configs.recommended,
    ...tseslint.configs.recommended,
    {
        files: ["**/*.ts"],
        languageOptions: { parserOptions: { projectService: true, tsconfigRootDir: import.meta.dirname } },
        plugins: { "import-x": importX },
        settings: { "import-x/resolver-next": [createTypeScriptImportResolver()] },
        rules: {
            "@typescript-eslint/no-floating-promises": "error",
            "@typescript-eslint/no-misused-promises": "error",
            "@typescript-eslint/await-thenable": "error",
            "@typescript-eslint/no-explicit-any": "error",
            "@typescript-eslint/consistent-type-imports": "error",
            "@typescript-eslint/switch-exhaustiveness-check": ["error", { considerDefaultExhaustiveForUnions: true }],
            "@typescript-eslint/no-unused-vars": ["error", { argsIgnorePattern: "^_", varsIgnorePattern: "^_" }],
            "import-x/no-restricted-paths": ["error", { zones: boundaries }],
            "import-x/no-cycle": "error",
            eqeqeq: "error",
        },
    },
    {
        files: ["components/membership/**/*.ts"],
        ignores: ["components/membership/resource.ts"],
        rules: {
            "no-restricted-imports": [
                "error",
                { patterns: [{ group: ["@pulumi/*"], message: "only resource.ts knows the engine" }] },
            ],
        },
    },
    // After the one before, whose patterns it has as well: of two, the later one holds.
    {
        files: pure,
        rules: {
            "no-restricted-imports": [
                "error",
                { patterns: [{ group: [...effects, "@pulumi/*"], message: "pure code imports no effect" }] },
            ],
        },
    },
    {
        files: ["**/*.js", "**/*.mjs"],
        languageOptions: {
            globals: {
                require: "readonly",
                module: "writable",
                process: "readonly",
                console: "readonly",
                __dirname: "readonly",
                setTimeout: "readonly",
                setImmediate: "readonly",
                Buffer: "readonly",
            },
        },
        rules: { "@typescript-eslint/no-require-imports": "off" },
    },
);
