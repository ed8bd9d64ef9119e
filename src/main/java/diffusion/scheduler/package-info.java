/** Noise schedules, samplers and torch's random numbers. */
@NullMarked
package diffusion.scheduler;

import org.jspecify.annotations.NullMarked;
