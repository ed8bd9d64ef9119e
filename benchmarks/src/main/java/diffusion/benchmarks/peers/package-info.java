/** This project's cpu backend and other engines at the same layers and models, taking turns in one run. */
@NullMarked
package diffusion.benchmarks.peers;

import org.jspecify.annotations.NullMarked;
