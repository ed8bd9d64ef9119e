/** The command line. */
@NullMarked
package diffusion.cli;

import org.jspecify.annotations.NullMarked;
