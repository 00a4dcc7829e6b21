/** What a preview shows of a plan, and what `up` says about it later. */
import { deviations } from "./deviations";
import type { MembershipInputs } from "./inputs";
import { describe, type Plan } from "./plan";
import { takePreview } from "./previews";
import type { Tell } from "./reconcile";
import { riskOf, toleranceOf, wayOf } from "./tolerance";
import type { Desired } from "./types";

/** The plan, as a preview shows it: numbered steps, why each is taken, and what it risks. */
export function showPlan({ steps, worlds, waitsFor, refusal }: Plan, wanted: Desired, tell: Tell): void {
    if (waitsFor !== undefined) tell(`up will wait until ${waitsFor}`);
    steps.forEach((step, index) => {
        const risk = riskOf(worlds[index]!, wanted, step);
        tell(`plan ${index + 1}/${steps.length}: ${describe(step)}: ${step.because}${risk ? ` [${risk}]` : ""}`);
    });
    const way = wayOf(worlds.map((world) => toleranceOf(world, wanted)));
    if (way !== undefined) tell(`on the way, the cluster survives the loss of ${way} voters`);
    if (refusal !== undefined) tell(`up will stop here: ${refusal}`);
}

/** The engine keeps nothing of its preview for its `up`, which may come much later. Told once, by whichever plan of `up` is first. */
export function tellDeviations(inputs: MembershipInputs, plan: Plan, tell: Tell): void {
    const preview = takePreview(inputs);
    const lines = preview ? deviations(preview, plan) : [];
    if (!preview || lines.length === 0) return;
    tell(`the world has changed since the preview, ${preview.agoSeconds} s ago:`);
    lines.forEach(tell);
}
