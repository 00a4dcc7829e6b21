/** How the model says no. */

/** Something that must never happen. */
export class Violation extends Error {
    override readonly name = "Violation";
}

/** A step's script failed on its host. */
export class ScriptFailed extends Error {
    override readonly name = "ScriptFailed";
}
