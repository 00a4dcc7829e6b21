/** A plugin as the SDK hosts one: it talks to its engine, and reports what it did not catch by talking. */
import { endWithEngine } from "../../../components/engineLife";

process.on("uncaughtException", (error) => console.error(error.stack));
endWithEngine();
setInterval(() => console.log("x".repeat(1000)), 1);
