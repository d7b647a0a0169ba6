export const word = "ahoy ";
