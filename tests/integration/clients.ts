/** Clients that are at work while a test changes their cluster. */
import { assertSound, describeReport, type Workload, type WorkloadReport } from "../faults/workload/workload";

/**
 * To be called in a `describe`.
 * @returns what notes the workload that a test starts: one that is still at work when the test is over ends with it
 */
export function endAfterEach(): (starting: Promise<Workload>) => Promise<Workload> {
    const workloads: Workload[] = [];
    afterEach(() => workloads.splice(0).forEach((workload) => workload.abandon()));
    return async (starting) => {
        const workload = await starting;
        workloads.push(workload);
        return workload;
    };
}

/** The clients get more writes acknowledged, and end. @throws when anything that they saw must never happen, as a lost write */
export async function assertNothingLost(workload: Workload): Promise<WorkloadReport> {
    await workload.progress(50);
    const report = await workload.stop();
    console.log(describeReport(report).replace(/^/gm, "      "));
    assertSound(report);
    return report;
}
