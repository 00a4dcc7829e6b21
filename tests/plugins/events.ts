/** A line that the engine showed for a resource. */
export interface Diagnostic {
    readonly resource: string;
    readonly severity: string;
    readonly message: string;
}

/** What one engine run did, from its event log. */
export interface Events {
    readonly diagnostics: readonly Diagnostic[];
    /** What it did to a resource: `create`, `update`, `replace`, `delete`, `same`, or undefined for none of these. */
    readonly step: (resource: string) => string | undefined;
    /** The paths in which a resource differed. */
    readonly differences: (resource: string) => readonly string[];
}

interface Metadata {
    readonly op: string;
    readonly urn: string;
    readonly detailedDiff?: Readonly<Record<string, unknown>> | null;
}

interface Event {
    readonly resourcePreEvent?: { readonly metadata: Metadata };
    readonly diagnosticEvent?: { readonly urn?: string; readonly severity: string; readonly message: string };
}

export function parseEvents(log: string): Events {
    const events = log
        .split("\n")
        .filter(Boolean)
        .map((line) => JSON.parse(line) as Event);
    const steps = events.flatMap(({ resourcePreEvent }) => resourcePreEvent?.metadata ?? []);
    const of = (resource: string): Metadata[] => steps.filter(({ urn }) => nameOf(urn) === resource);
    return {
        diagnostics: events.flatMap(({ diagnosticEvent }) =>
            diagnosticEvent?.urn
                ? [
                      {
                          ...diagnosticEvent,
                          resource: nameOf(diagnosticEvent.urn),
                          message: diagnosticEvent.message.trim(),
                      },
                  ]
                : [],
        ),
        step: (resource) => {
            const ops = of(resource).map(({ op }) => op);
            return ops.some((op) => op.includes("replace")) ? "replace" : ops.at(-1);
        },
        differences: (resource) => of(resource).flatMap(({ detailedDiff }) => Object.keys(detailedDiff ?? {})),
    };
}

export function nameOf(urn: string): string {
    return urn.slice(urn.lastIndexOf("::") + 2);
}
