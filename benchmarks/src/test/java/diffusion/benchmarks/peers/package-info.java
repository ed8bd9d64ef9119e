@NullMarked
package diffusion.benchmarks.peers;

import org.jspecify.annotations.NullMarked;
