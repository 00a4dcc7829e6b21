import type * as pulumi from "@pulumi/pulumi";

/** A plain shape whose leaves may be known late. How long its lists are, and which keys it has, is known at once. */
export type Late<T> = T extends string | number | boolean | undefined
    ? pulumi.Input<T>
    : T extends readonly (infer Item)[]
      ? readonly Late<Item>[] | pulumi.Input<T>
      : { readonly [Key in keyof T]: Late<T[Key]> } | pulumi.Input<T>;

/** The inputs of a resource of ours: its fields are there, what is in them may be known late. */
export type LateInputs<T> = { readonly [Key in keyof T]: Late<T[Key]> | pulumi.Input<T[Key]> };
