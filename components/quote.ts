/** The one function that puts text into a shell command, for whoever writes scripts without being part of `remote/`. */
export { shellQuote } from "./remote/quote";
