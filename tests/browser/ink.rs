//! What a picture shows, by its pixels.

use std::collections::HashMap;

/// The most frequent colour of a picture, and the share of pixels that have another.
#[derive(Debug)]
pub struct Ink {
    pub ground: [u8; 3],
    pub share: f64,
    pub colours: usize,
}

impl Ink {
    pub fn of(png: &[u8]) -> Self {
        let mut reader = png::Decoder::new(std::io::Cursor::new(png)).read_info().unwrap();
        let mut bytes = vec![0; reader.output_buffer_size().unwrap()];
        let frame = reader.next_frame(&mut bytes).unwrap();
        let each = frame.color_type.samples();
        assert!(each >= 3 && frame.bit_depth == png::BitDepth::Eight, "{frame:?}");
        let mut counts = HashMap::<[u8; 3], usize>::new();
        let pixels = bytes[..frame.buffer_size()].chunks_exact(each);
        let all = pixels.len();
        for pixel in pixels {
            *counts.entry([pixel[0], pixel[1], pixel[2]]).or_default() += 1;
        }
        let (ground, most) = counts.iter().max_by_key(|(_, count)| **count).unwrap();
        let share = 1.0 - *most as f64 / all as f64;
        Ink { ground: *ground, share, colours: counts.len() }
    }

    /// How light the ground is, from 0 to 255.
    pub fn lightness(&self) -> u32 {
        self.ground.iter().map(|part| u32::from(*part)).sum::<u32>() / 3
    }
}
