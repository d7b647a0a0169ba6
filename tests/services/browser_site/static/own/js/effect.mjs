globalThis.effect = "seen";
