/** Loaded into the built program before it begins: its clock is CLOCK_SHIFT_MS off, and jumps by up to CLOCK_JUMP_MS to either side at each look. */
const shift = Number(process.env.CLOCK_SHIFT_MS ?? 0)
const jump = Number(process.env.CLOCK_JUMP_MS ?? 0)
const now = Date.now
Date.now = () => now() + shift + Math.round((Math.random() * 2 - 1) * jump)
