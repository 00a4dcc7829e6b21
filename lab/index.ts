export { closeLab, Lab, LAB_USERS, openLab } from "./lab";
export { LabHost } from "./host";
export type { RunOptions } from "./host";
export type { CommandResult } from "./command";
export type { LabHostSpec, LabImage, LabSpec, LabStorage } from "./spec";
