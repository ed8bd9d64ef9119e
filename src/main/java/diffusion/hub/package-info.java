/** Downloads of published models by the protocol of the Hugging Face hub. */
@NullMarked
package diffusion.hub;

import org.jspecify.annotations.NullMarked;
