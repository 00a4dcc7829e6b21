export { attachLab, closeLab, Lab, LAB_USERS, openLab } from "./lab";
export { LabHost } from "./host";
export type { Delay, HostState } from "./host";
export type { Direction } from "./partition";
export type { RunOptions } from "./guest";
export type { CommandResult } from "./command";
export type { LabHostSpec, LabImage, LabSpec, LabStorage } from "./spec";
