export const lazy = "late";
