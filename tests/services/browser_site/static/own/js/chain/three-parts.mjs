export const below = 2;
