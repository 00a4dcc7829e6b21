// Usage: npm run lab -- COMMAND …; `npm run lab -- help` lists the commands.
import { COMMANDS } from "./cli/commands";
import { helpText } from "./cli/help";

async function main([name, ...args]: readonly string[]): Promise<number> {
    if (name === undefined || ["help", "--help", "-h"].includes(name)) {
        console.log(helpText());
        return 0;
    }
    const command = COMMANDS[name];
    if (!command) throw new Error(`there is no command "${name}"; "npm run lab -- help" lists them`);
    if (args[0] === "--help" || args[0] === "-h") {
        console.log(helpText(name));
        return 0;
    }
    return command.run(args);
}

main(process.argv.slice(2)).then(
    (code) => (process.exitCode = code),
    (error: Error) => {
        console.error(`error: ${error.message}`);
        process.exitCode = 1;
    },
);
